// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/golden_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "kernels/dtype.h"

namespace lockstep::test {
namespace {

int64_t element_count(const Json& entry) {
    int64_t count = 1;
    for (const Json& size : entry["shape"]) count *= size.get<int64_t>();
    return count;
}

}  // namespace

Result<GoldenFile> GoldenFile::read(const std::string& stem) {
    // Beside a test that was carried to another machine, or in the source tree.
    const bool here = std::filesystem::exists(stem + ".json");
    const std::string path = here ? stem : std::string(LOCKSTEP_SOURCE_DIR) + "/tests/" + stem;
    GoldenFile file;
    LOCKSTEP_ASSIGN(file.description_, read_json_file(path + ".json"));
    std::ifstream stream(path + ".bin", std::ios::binary);
    if (!stream) return fail(ErrorKind::io, path + ".bin: cannot be read");
    file.bytes_.assign(std::istreambuf_iterator<char>(stream), {});
    return file;
}

std::vector<float> GoldenFile::floats(const Json& entry) const {
    const DType dtype = entry["dtype"] == "bf16" ? DType::bf16 : DType::f32;
    const int64_t count = element_count(entry);
    const auto offset = entry["offset"].get<size_t>();
    if (offset + static_cast<size_t>(dtype_bytes(dtype, count)) > bytes_.size()) return {};
    std::vector<float> values(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
        values[static_cast<size_t>(i)] = load_element(bytes_.data() + offset, dtype, i);
    return values;
}

std::vector<int32_t> GoldenFile::ids(const Json& entry) const {
    std::vector<int32_t> values(static_cast<size_t>(element_count(entry)));
    const auto offset = entry["offset"].get<size_t>();
    if (offset + values.size() * sizeof(int32_t) > bytes_.size()) return {};
    std::memcpy(values.data(), bytes_.data() + offset, values.size() * sizeof(int32_t));
    return values;
}

}  // namespace lockstep::test
