// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf_tensors.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

constexpr uint64_t max_rank = 4;
constexpr uint64_t max_name = 256;

// ggml's type ids; those with a DType can be expanded.
struct GgmlType {
    uint32_t id;
    const char* name;
    std::optional<DType> dtype;
};
constexpr std::array ggml_types{
    GgmlType{0, "F32", DType::f32},
    GgmlType{1, "F16", DType::f16},
    GgmlType{2, "Q4_0", DType::q4_0},
    GgmlType{3, "Q4_1", DType::q4_1},
    GgmlType{6, "Q5_0", DType::q5_0},
    GgmlType{7, "Q5_1", DType::q5_1},
    GgmlType{8, "Q8_0", DType::q8_0},
    GgmlType{9, "Q8_1", {}},
    GgmlType{10, "Q2_K", {}},
    GgmlType{11, "Q3_K", {}},
    GgmlType{12, "Q4_K", DType::q4_k},
    GgmlType{13, "Q5_K", DType::q5_k},
    GgmlType{14, "Q6_K", DType::q6_k},
    GgmlType{15, "Q8_K", {}},
    GgmlType{16, "IQ2_XXS", {}},
    GgmlType{17, "IQ2_XS", {}},
    GgmlType{18, "IQ3_XXS", {}},
    GgmlType{19, "IQ1_S", {}},
    GgmlType{20, "IQ4_NL", {}},
    GgmlType{21, "IQ3_S", {}},
    GgmlType{22, "IQ2_S", {}},
    GgmlType{23, "IQ4_XS", {}},
    GgmlType{24, "I8", {}},
    GgmlType{25, "I16", {}},
    GgmlType{26, "I32", {}},
    GgmlType{27, "I64", {}},
    GgmlType{28, "F64", {}},
    GgmlType{29, "IQ1_M", {}},
    GgmlType{30, "BF16", DType::bf16},
    GgmlType{34, "TQ1_0", {}},
    GgmlType{35, "TQ2_0", {}},
    GgmlType{39, "MXFP4", {}},
};

std::string supported_types() {
    std::string list;
    for (const GgmlType& type : ggml_types) {
        if (!type.dtype) continue;
        if (!list.empty()) list += ", ";
        list += type.name;
    }
    return list;
}

struct TensorInfo {
    StoredTensor tensor;
    uint64_t offset = 0;  // from the start of the data section
    uint64_t bytes = 0;
};

Status read_type(GgufReader& reader, StoredTensor& tensor) {
    LOCKSTEP_ASSIGN(const auto id, reader.read<uint32_t>("a tensor's type"));
    const auto* known = std::ranges::find(ggml_types, id, &GgmlType::id);
    const bool found = known != ggml_types.end();
    if (!found || !known->dtype) {
        const std::string name = found ? known->name : "number " + std::to_string(id);
        return reader.fail("tensor " + tensor.name + ": type " + name +
                               " is not supported; supported: " + supported_types(),
                           ErrorKind::unsupported);
    }
    tensor.type = known->name;
    tensor.dtype = known->dtype;
    return {};
}

// The product of the dimensions, if it is one that 2^48 elements can hold.
Result<uint64_t> read_shape(GgufReader& reader, StoredTensor& tensor) {
    LOCKSTEP_ASSIGN(const auto rank, reader.read<uint32_t>("a tensor's rank"));
    if (rank < 1 || rank > max_rank) {
        return reader.fail("tensor " + tensor.name + ": " + std::to_string(rank) +
                           " dimensions are outside 1 to " + std::to_string(max_rank));
    }
    constexpr uint64_t max_elements = uint64_t{1} << 48;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < rank; ++i) {
        LOCKSTEP_ASSIGN(const auto size, reader.read<uint64_t>("a tensor's dimension"));
        if (size == 0 || size > max_elements / elements) {
            return reader.fail("tensor " + tensor.name + ": dimension " + std::to_string(size) +
                               (size == 0 ? " is empty" : " is too large"));
        }
        elements *= size;
        tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));  // innermost first
    }
    return elements;
}

Result<TensorInfo> read_tensor_info(GgufReader& reader, uint64_t alignment) {
    TensorInfo info;
    LOCKSTEP_ASSIGN(const auto name, reader.string("a tensor's name"));
    if (name.empty() || name.size() > max_name || !is_valid_utf8(name)) {
        return reader.fail("tensor name " + in_quotes(name) + " is not UTF-8 of 1 to 256 bytes");
    }
    info.tensor.name = name;
    LOCKSTEP_ASSIGN(const uint64_t elements, read_shape(reader, info.tensor));
    LOCKSTEP_TRY(read_type(reader, info.tensor));
    LOCKSTEP_ASSIGN(info.offset, reader.read<uint64_t>("a tensor's offset"));
    const DTypeInfo& dtype = dtype_info(*info.tensor.dtype);
    if (info.tensor.shape.back() % dtype.block_elements != 0) {
        return reader.fail("tensor " + info.tensor.name + ": rows of " +
                           std::to_string(info.tensor.shape.back()) + " elements are not whole " +
                           info.tensor.type + " blocks of " + std::to_string(dtype.block_elements));
    }
    if (info.offset % alignment != 0) {
        return reader.fail("tensor " + info.tensor.name + ": offset " +
                           std::to_string(info.offset) + " is not a multiple of the alignment " +
                           std::to_string(alignment));
    }
    info.bytes =
        static_cast<uint64_t>(dtype_bytes(*info.tensor.dtype, static_cast<int64_t>(elements)));
    return info;
}

// Inside the data section, and each after the one before it.
Status check_extents(const std::vector<TensorInfo>& infos, uint64_t data_bytes,
                     const std::string& file) {
    std::vector<const TensorInfo*> sorted;
    sorted.reserve(infos.size());
    for (const TensorInfo& info : infos) {
        if (info.offset > data_bytes || info.bytes > data_bytes - info.offset) {
            return fail(ErrorKind::invalid_file,
                        file + ": tensor " + info.tensor.name + ": its " +
                            std::to_string(info.bytes) + " bytes at offset " +
                            std::to_string(info.offset) + " lie outside the file's " +
                            std::to_string(data_bytes) + " bytes of data (is the file cut short?)");
        }
        sorted.push_back(&info);
    }
    std::ranges::sort(sorted, {}, &TensorInfo::offset);
    for (size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset) {
            return fail(ErrorKind::invalid_file, file + ": tensor " + sorted[i]->tensor.name +
                                                     " overlaps tensor " +
                                                     sorted[i - 1]->tensor.name);
        }
    }
    return {};
}

}  // namespace

Result<std::vector<StoredTensor>> read_gguf_tensors(GgufReader reader, uint64_t count,
                                                    size_t alignment,
                                                    std::span<const std::byte> file,
                                                    const std::filesystem::path& path) {
    std::vector<TensorInfo> infos;
    std::unordered_set<std::string> names;
    for (uint64_t i = 0; i < count; ++i) {
        LOCKSTEP_ASSIGN(TensorInfo info, read_tensor_info(reader, alignment));
        if (!names.insert(info.tensor.name).second) {
            return reader.fail("duplicate tensor " + info.tensor.name);
        }
        infos.push_back(std::move(info));
    }
    const size_t data_at = (reader.at() + alignment - 1) / alignment * alignment;
    const size_t data_bytes = data_at < file.size() ? file.size() - data_at : 0;
    LOCKSTEP_TRY(check_extents(infos, data_bytes, path.string()));
    std::vector<StoredTensor> tensors;
    tensors.reserve(infos.size());
    for (TensorInfo& info : infos) {
        info.tensor.file = path;
        info.tensor.data = file.subspan(data_at + info.offset, info.bytes);
        tensors.push_back(std::move(info.tensor));
    }
    return tensors;
}

}  // namespace lockstep
