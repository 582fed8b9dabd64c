// SPDX-License-Identifier: GPL-3.0-or-later
// Decode's steps in one launch. A token of one row is a chain of small products whose weights are
// read once: as kernels of their own each costs its coming and going, while nothing is read. A
// chain is one kernel with a block to a multiprocessor. One warp of each block asks for the weights
// of all its steps in a row, as far ahead as shared memory goes; the others multiply.
//
// What one link puts out and the next one reads goes from block to block through an exchange: words
// of eight bytes in device memory, a value and the tag of launch and link. A reader asks again
// until the tag is there: nobody waits for a barrier of the whole GPU, nor for a fence. (NCCL's
// low-latency protocol sends data so.) The tensors are written as well, for whoever comes later.
//
// A step stays what it is everywhere else: a function that is called with its arguments. Called
// alone it is a chain of one link; while a graph is recorded, links wait for company until
// something else is queued (CudaStream::hold). A link gives the same bits in any company.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/cuda/cuda_stream.h"
#include "kernels/steps.h"

namespace lockstep::fused {

// A product of one row x [depth] with weight rows. A unit is one result, or two that belong
// together (a rotated pair; gate and up): of so many weight rows, its parts.
struct ProductLink {
    const void* x;
    const void* norm;  // the norm that comes first [depth], or null
    const void* residual;
    float eps, inverse_depth;
    int depth, units, parts;
    // Units go into the exchange so many to a word. A block has words_each of its words, the first
    // more_words blocks one more.
    int word_units, words_each, more_words;
    // A stage has eight weight rows, or a piece of them, rows `pitch` bytes apart.
    int pieces, pitch;
    // attn_output, down, logits (f32): [0]. gate_up: gate, up, [0] is put out. qkv: q, k, v.
    const void* weight[3];
    const void* bias[3];
    void* out[3];
    int weight_stride[3];
    // qkv alone: heads are numbered q's, k's, v's.
    int out_stride[3], head_stride[3];
    int first_k, first_v, dim;
    unsigned half_inverse;  // unit / (dim / 2) is the upper word of unit * half_inverse
    int cosine_stride, sine_stride;
    const float *cosine, *sine;
    const int32_t* position;
    // Null: x is read where it lies; nobody reads on.
    const uint64_t* x_exchange;
    uint64_t* out_exchange;
};

struct AttentionLink {
    const void *q, *k, *v;
    void* attn;
    const int32_t* position;
    const uint64_t* x_exchange;  // of qkv's units, or null
    uint64_t* out_exchange;      // or null
    uint64_t* partials;          // of runs of keys: [blocks / groups, heads, dim + 2]
    float scale_log2;            // scale * log2(e): weights are powers of two
    int groups, ratio, dim;
    int q_stride, k_stride, v_stride;  // between heads of q, rows of the cache
    int k_head_stride, v_head_stride;
    int stages, stage_bytes;  // of the ring that its tiles lie in, where a block has keys
};

// A row of the table. The link after it reads the table itself, so nothing goes through the
// exchange; a block writes what of `hidden` it will read and write as attn_output and down.
struct EmbedLink {
    const void* table;
    const int32_t* id;
    void* hidden;
    int64_t stride;  // between rows of the table
    int vocab_size, depth;
    int words_each, more_words;  // as of a product of `depth` units, two to a word
};

struct alignas(16) Link {
    enum class Kind : int { embed, heads, attention, add, gated, logits };
    Kind kind;
    union {
        EmbedLink embed;
        ProductLink product;
        AttentionLink attention;
    };
};

// What a step is as a link; nothing where it has more than one row, another dtype than bf16 or f16,
// rows that cannot be read 16 bytes at a time, more than a chain has room for, or a GPU that
// cannot.
std::optional<Link> link_of(const EmbedArgs& args, const CudaStream& stream);
std::optional<Link> link_of(const QkvArgs& args, const CudaStream& stream);
std::optional<Link> link_of(const AttnOutputArgs& args, const CudaStream& stream);
std::optional<Link> link_of(const GateUpArgs& args, const CudaStream& stream);
std::optional<Link> link_of(const DownArgs& args, const CudaStream& stream);
std::optional<Link> link_of(const LogitsArgs& args, const CudaStream& stream);
Result<std::optional<Link>> link_of(const AttentionArgs& args, CudaStream& stream);

// Queues the link: now, or while a graph is recorded with those that follow.
Status add_link(const Link& link, DType dtype, CudaStream& stream);

// The links of a stream that wait for company.
class Chain {
  public:
    explicit Chain(Stream& stream) : stream_(cuda_stream(stream)) {}
    Status add(const Link& link, DType dtype);

  private:
    bool takes(const Link& link, DType dtype) const;
    int dim() const;  // of its attention; 0: it has none so far
    // Each link's place in the exchange, and where it reads what the one before puts out.
    void connect(uint64_t* exchange);
    Status launch();

    CudaStream& stream_;
    std::vector<Link> links_;
    DType dtype_ = DType::bf16;
};

constexpr int multiplying_warps = 8;  // more are slower: fewer registers each, and more to meet
constexpr int copying_warps = 2;      // one copies, the other helps where the stages are many
constexpr int attending_warps = 8;
constexpr int most_stage_bytes = 17 * 1024;  // of the ring
constexpr int stage_rows = 8;                // weight rows of a stage
constexpr int piece_columns = 1024;          // of them at most
constexpr int most_rows = 128;               // of a block, that are summed before any is put out

// What links need of a block's shared memory: room for a row, and stages of the ring.
struct Room {
    int row_bytes = 0, stage_bytes = 0, least_stages = 0;
    void add(const Link& link);
    // How many stages a block has; 0 where they are too few.
    int stages(const CudaStream& stream) const;
};

}  // namespace lockstep::fused
