// SPDX-License-Identifier: GPL-3.0-or-later
// One tensor of a call to a kernel in the child process: its bytes, put into shared memory between
// pages that can't be touched, and what came back of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/step_catalog.h"
#include "kernels/user/child_protocol.h"

namespace lockstep {

struct Operand {
    std::string_view name;
    Role role = Role::constant;
    Tensor tensor;  // the program's
    // Where that lies on a GPU. Then tensor is a copy on the host, but for a weight's.
    void* on_device = nullptr;
    OperandPlace place;
    // Of dimension 0, what the step must write; none of an input.
    int64_t written_first = 0, written_rows = 0;

    bool is_written() const { return written_rows > 0; }
};

// The operands in the order of the step's tensors, then the position; undefined ones have no place.
std::vector<Operand> operands_of(const StepArgs& args, bool unfused_outputs);

// Of a call on a GPU: what is no weight becomes a copy on the host, in memory that joins `copies`.
Status bring_operands(std::vector<Operand>& operands, std::vector<Buffer>& copies, Stream& stream);
// Of such a call: what the step wrote of a copy goes back to the GPU.
Status return_written(const Operand& operand, Stream& stream);

// From the first element to the end of the last.
uint64_t extent_bytes(const Tensor& tensor);

// Hands out places in a region, each with untouchable pages before and after it. The data is
// aligned as the program's own is, up to 64 bytes, and ends less than 64 bytes before the pages do.
class Places {
  public:
    Places();  // pages of the machine
    // page: what can be opened by itself; guard: untouchable bytes, a multiple of it.
    Places(uint64_t page, uint64_t guard) : page_(page), guard_(guard) {}

    OperandPlace add(Region region, const Operand& operand, bool writable);
    uint64_t end() const;                    // of all of it, as large as the region must be
    static uint64_t needed(uint64_t bytes);  // by one more

  private:
    uint64_t page_, guard_;
    uint64_t next_ = 0;
};

// The bytes of a place that show whether a step wrote where it should: what it may write and what
// is around that.
struct WatchedBytes {
    uint64_t first = 0, last = 0;
};
WatchedBytes watched_bytes(const OperandPlace& place);

// region: the start of the memory that the place is in.
// What the step reads is copied; what it must write is NaN, and what is around it a pattern.
void put(const Operand& operand, std::byte* region);
// Empty, or what was written that is not the step's to write: "wrote 64 bytes past the end of q
// ..".
std::string stray_write(const Operand& operand, const std::byte* region);
// What the step wrote.
void take_back(const Operand& operand, const std::byte* region);

}  // namespace lockstep
