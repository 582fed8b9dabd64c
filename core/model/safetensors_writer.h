// SPDX-License-Identifier: GPL-3.0-or-later
// Writes safetensors as the format's own library does: tensors sorted by dtype (widest first), then
// by name, so that each lies aligned without gaps; the header padded with spaces to 8 bytes;
// metadata as strings. The file is there whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lockstep {

struct TensorToWrite {
    std::string name;
    DType dtype = DType::f32;    // f32, f16 or bf16
    std::vector<int64_t> shape;  // row-major
    // Fills the tensor's bytes, contiguous and little-endian. Called once, when its turn comes.
    std::function<Status(std::span<std::byte>)> read;
};

Status write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace lockstep
