// SPDX-License-Identifier: GPL-3.0-or-later
// Reads what tests/golden/model/golden_file.py wrote: NAME.json describes, NAME.bin holds the
// tensors.
#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"

namespace lockstep::test {

class GoldenFile {
  public:
    // stem: "golden/model/tiny" under tests/.
    static Result<GoldenFile> read(const std::string& stem);

    const Json& description() const { return description_; }
    // A tensor's elements as floats, row-major. Throws nothing: a wrong entry gives an empty
    // vector.
    std::vector<float> floats(const Json& entry) const;
    std::vector<int32_t> ids(const Json& entry) const;

  private:
    Json description_;
    std::string bytes_;
};

}  // namespace lockstep::test
