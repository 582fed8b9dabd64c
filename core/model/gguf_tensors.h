// SPDX-License-Identifier: GPL-3.0-or-later
// The table of a GGUF's tensors: names, shapes, types and where their bytes lie.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "core/model/gguf_reader.h"
#include "core/model/stored_tensor.h"

namespace lockstep {

constexpr uint64_t max_gguf_tensors = 1 << 20;  // far above what any model has

// `reader` stands at the table. The data follow the table at a multiple of `alignment`, a power of
// two. A tensor of a type that cannot be expanded, outside `file` or over another one is an error.
Result<std::vector<StoredTensor>> read_gguf_tensors(GgufReader reader, uint64_t count,
                                                    size_t alignment,
                                                    std::span<const std::byte> file,
                                                    const std::filesystem::path& path);

}  // namespace lockstep
