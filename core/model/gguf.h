// SPDX-License-Identifier: GPL-3.0-or-later
// Reads GGUF version 2 and 3 (little-endian): typed metadata and the table of tensors. The file is
// mapped and untrusted: every count, length and offset is checked against the file before it is
// used, and nothing is allocated that the file's size does not justify.
// Format: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/base/mapped_file.h"
#include "core/model/gguf_metadata.h"
#include "core/model/stored_tensor.h"
#include "kernels/status.h"

namespace lockstep {

class GgufFile {
  public:
    // Reads the header and the metadata; read_tensors() reads the rest.
    static Result<GgufFile> open(const std::filesystem::path& path);
    // Whether a file begins as GGUF does, whatever its name is.
    static bool is_gguf(const std::filesystem::path& path);

    const GgufMetadata& metadata() const { return metadata_; }
    // A tensor of a type that cannot be expanded, outside the file or over another one is an error.
    Result<std::vector<StoredTensor>> read_tensors() const;
    // The mapping that tensors are views into; the metadata must not be asked afterwards.
    MappedFile release_file() && { return std::move(file_); }

  private:
    MappedFile file_;
    GgufMetadata metadata_;
    uint64_t tensor_count_ = 0;
    size_t tensors_at_ = 0;  // where the table of tensors begins
};

}  // namespace lockstep
