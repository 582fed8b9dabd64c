// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/safetensors_writer.h"

#include <algorithm>
#include <cstring>

#include "core/base/json.h"
#include "core/base/output_file.h"

namespace lockstep {
namespace {

constexpr size_t header_alignment = 8;

const char* format_name(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "F32";
        case DType::f16:
            return "F16";
        case DType::bf16:
            return "BF16";
        default:
            return nullptr;
    }
}

int64_t bytes_of(const TensorToWrite& tensor) {
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    return dtype_bytes(tensor.dtype, count);
}

Result<std::string> header_of(const std::vector<TensorToWrite>& tensors,
                              const std::map<std::string, std::string>& metadata) {
    OrderedJson header = OrderedJson::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    // Looking a key up is linear in ordered JSON: the entries are appended as what they are.
    auto& entries = header.get_ref<OrderedJson::object_t&>();
    entries.reserve(tensors.size() + 1);
    int64_t end = 0;
    for (const TensorToWrite& tensor : tensors) {
        const char* const type = format_name(tensor.dtype);
        if (!type)
            return fail(ErrorKind::unsupported, "tensor " + tensor.name +
                                                    ": only F32, F16 and "
                                                    "BF16 can be written");
        const int64_t first = end;
        end += bytes_of(tensor);
        entries.push_back(OrderedJson::object_t::value_type(
            tensor.name,
            {{"dtype", type}, {"shape", tensor.shape}, {"data_offsets", {first, end}}}));
    }
    std::string text = header.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    text.resize((text.size() + header_alignment - 1) / header_alignment * header_alignment, ' ');
    return text;
}

}  // namespace

Status write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata) {
    std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
        const int64_t wide_a = dtype_bytes(a.dtype, 1), wide_b = dtype_bytes(b.dtype, 1);
        if (wide_a != wide_b) return wide_a > wide_b;
        if (a.dtype != b.dtype) return a.dtype < b.dtype;
        return a.name < b.name;
    });
    LOCKSTEP_ASSIGN(const std::string header, header_of(tensors, metadata));
    LOCKSTEP_ASSIGN(OutputFile file, OutputFile::create(path));
    const uint64_t size = header.size();
    std::byte length[sizeof size];
    std::memcpy(length, &size, sizeof size);
    LOCKSTEP_TRY(file.write(length));
    LOCKSTEP_TRY(file.write(std::string_view(header)));
    std::vector<std::byte> bytes;
    for (const TensorToWrite& tensor : tensors) {
        bytes.resize(static_cast<size_t>(bytes_of(tensor)));
        LOCKSTEP_TRY(tensor.read(bytes));
        LOCKSTEP_TRY(file.write(bytes));
    }
    return file.commit();
}

}  // namespace lockstep
