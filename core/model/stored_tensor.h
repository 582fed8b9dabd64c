// SPDX-License-Identifier: GPL-3.0-or-later
// A tensor as a file stores it: a view into a mapped file, checked to lie inside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/dtype.h"

namespace lockstep {

struct StoredTensor {
    std::string name;            // as the file spells it
    std::string type;            // as the file's format spells it: "Q4_1", "BF16", "I64"
    std::optional<DType> dtype;  // empty for types that no weight may have
    std::vector<int64_t> shape;  // row-major, as transformers has it: [out, in]
    std::span<const std::byte> data;
    std::filesystem::path file;

    int64_t numel() const {  // no overflow: the readers check the product against the file's size
        int64_t count = 1;
        for (int64_t size : shape) count *= size;
        return count;
    }
    // "model.gguf: tensor blk.0.attn_q.weight"
    std::string where() const { return file.string() + ": tensor " + name; }
};

// A name or key out of a file, fit to stand in a one-line message.
inline std::string printable(std::string_view name) {
    std::string text;
    for (char c : name.substr(0, 80)) {
        const auto byte = static_cast<unsigned char>(c);
        text += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
    return name.size() > 80 ? text + "..." : text;
}

inline std::string in_quotes(std::string_view name) {
    std::string text(1, '"');
    text += printable(name);
    text += '"';
    return text;
}

}  // namespace lockstep
