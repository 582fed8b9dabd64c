// SPDX-License-Identifier: GPL-3.0-or-later
// What the program and the child process that runs a user's kernel say to each other: one message
// each way per call, over a socket that keeps messages whole. Numbers only; tensors lie in two
// memory files that both have mapped. A kernel for a GPU is given copies that the child makes
// there, at the same offsets of two ranges of the GPU's addresses.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/user/abi.h"

namespace lockstep {

// Descriptors that the child is started with.
enum ChildDescriptor : int {
    child_socket = 3,       // SOCK_SEQPACKET
    child_report = 4,       // a page: CrashReport
    child_kernel = 5,       // the shared object
    child_activations = 6,  // memory file of the call's own tensors
    child_weights = 7,      // memory file of the weights, kept from call to call
    child_descriptors_end = 8,
};

enum class Region : uint32_t { none, activations, weights };
enum class Access : uint32_t { unknown, read, write };

// Where an operand lies in its region. The pages around it can't be touched.
struct OperandPlace {
    Region region = Region::none;  // none: the call has no such tensor
    uint32_t writable = 0;
    uint32_t fresh = 0;  // of a weight: its bytes are other ones than at the last call
    uint32_t reserved = 0;
    uint64_t data = 0, bytes = 0;             // its first element; to the end of its last
    uint64_t first_page = 0, page_bytes = 0;  // what is opened for it
};

struct CallMessage {
    uint64_t sequence = 0;
    uint64_t activations_bytes = 0, weights_bytes = 0;  // sizes of the memory files
    uint32_t forget_weights = 0;  // their places mean something else from now on
    uint32_t operands = 0;
    std::array<OperandPlace, max_abi_tensors + 1> places{};  // the tensors', then the position's
    AbiCall call;  // tensors' data is filled in by the child
};

// lost: failed, and the process can do nothing more (its GPU is gone).
enum class ReplyKind : uint32_t { loaded, refused, done, failed, lost };

struct ReplyMessage {
    uint64_t sequence = 0;  // of the call; 0 after loading
    ReplyKind kind = ReplyKind::failed;
    uint32_t error_kind = 0;                  // ErrorKind, of `refused`
    uint32_t steps = 0, unfused_outputs = 0;  // of `loaded`: bit s for step s
    uint32_t device = 0;                      // of `loaded`: DeviceKind
    int32_t changed_operand = -1;             // of `failed`: by number, one that it may only read
    std::array<char, 2048> text{};            // ends with a zero: what went wrong
};

// Left behind by the child's signal handler.
struct CrashReport {
    int32_t signal = 0;               // 0: none was caught
    uint32_t in_kernel_thread = 0;    // another thread than the one that Lockstep calls from
    Access access = Access::unknown;  // to memory, where the machine tells
    uint32_t stack_overflow = 0;
    Region region = Region::none;  // that `address` lies in
    uint64_t address = 0;          // of the access; within the region, where it is in one
};

}  // namespace lockstep
