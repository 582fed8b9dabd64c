// SPDX-License-Identifier: GPL-3.0-or-later
// Reads safetensors, single and sharded. The format's rules, each with its own error: the header is
// a JSON object of at most 100 MB that begins with '{'; every tensor has a known dtype, a shape and
// data_offsets; offsets cover the data section without gaps, overlaps or anything left over; the
// size is that of dtype and shape. A shard is a file of the same folder, named once, and every
// tensor lies in exactly the shard that the index names.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/mapped_file.h"
#include "core/model/stored_tensor.h"
#include "kernels/status.h"

namespace lockstep {

// The tensors of one mapped file, in the order of their data. `file` must outlive their use.
Result<std::vector<StoredTensor>> read_safetensors(const MappedFile& file);

// What the header's __metadata__ says; empty where it has none. Values are strings, or it is an
// error.
Result<std::map<std::string, std::string>> read_safetensors_metadata(const MappedFile& file);

struct SafetensorsFolder {
    std::vector<MappedFile> files;
    std::vector<StoredTensor> tensors;
    std::filesystem::path
        where;  // model.safetensors or its index: what errors about the whole name
};

// model.safetensors, or model.safetensors.index.json and its shards.
Result<SafetensorsFolder> open_safetensors(const std::filesystem::path& folder);

}  // namespace lockstep
