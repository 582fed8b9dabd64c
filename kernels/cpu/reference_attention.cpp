// SPDX-License-Identifier: GPL-3.0-or-later
// transformers' eager_attention_forward: scores rounded, times the scale and rounded, softmax in
// f32 and rounded, times V in f32 and rounded. Keys that the causal mask hides have weight 0 there;
// here they are left out where a whole block of rows does not see them.
#include <algorithm>
#include <vector>

#include "kernels/cpu/operands.h"
#include "kernels/cpu/reference.h"
#include "kernels/cpu/reference_rows.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

constexpr int64_t row_block = 64;

struct AttentionScratch {
    struct Thread {
        std::vector<float> q, kv, scores, sums;
        std::vector<uint16_t> weights;
        Status status;
    };
    std::vector<Thread> threads;
    explicit AttentionScratch(Stream& stream)
        : threads(static_cast<size_t>(cpu_stream(stream).pool().threads())) {}
};

// Queries that share a head of the cache and are multiplied with it at once: a block of rows of one
// head, or in decode the heads of one group.
struct Item {
    int64_t rows = 0;
    int64_t first_row = 0, first_head = 0;
    int64_t group = 0;
    bool by_heads = false;  // the queries are heads of one row, else rows of one head

    int64_t row(int64_t i) const { return by_heads ? first_row : first_row + i; }
    int64_t head(int64_t i) const { return by_heads ? first_head + i : first_head; }
};

class Attention {
  public:
    Attention(const AttentionArgs& args, int64_t position, Stream& stream, Products products)
        : args_(args),
          position_(position),
          onednn_(stream.state<OneDnn>()),
          dtype_(args.q.dtype),
          // What oneDNN multiplies: the operands as they are, or widened.
          factor_dtype_(products == Products::native ? dtype_ : DType::f32),
          heads_(args.q.shape[1]),
          head_dim_(args.q.shape[2]),
          ratio_(heads_ / args.k_cache.shape[1]) {}

    Status prepare() const {
        LOCKSTEP_TRY(onednn_.prepare_multiply(factor_dtype_, true));
        return onednn_.prepare_multiply(factor_dtype_, false);
    }

    int64_t items() const {
        const int64_t rows = args_.q.shape[0];
        return rows == 1 ? args_.k_cache.shape[1] : heads_ * ((rows + row_block - 1) / row_block);
    }

    Item item(int64_t index) const {
        const int64_t rows = args_.q.shape[0];
        if (rows == 1) return {ratio_, 0, index * ratio_, index, true};
        const int64_t head = index % heads_;
        const int64_t first = index / heads_ * row_block;
        return {std::min(row_block, rows - first), first, head, head / ratio_, false};
    }

    Status run(const Item& item, int thread, AttentionScratch::Thread& own) const {
        const int64_t keys = position_ + item.row(item.rows - 1) + 1;
        float* scores = with_room(own.scores, item.rows * keys);
        const Matrix q = queries(item, own);
        const Matrix k = cached(args_.k_cache, item, keys, own);
        LOCKSTEP_TRY(onednn_.multiply(thread, factor_dtype_, item.rows, head_dim_, keys, q,
                                      {k.data, k.stride, true}, {scores, keys}));
        const Matrix weights = softmax(item, keys, scores, own);
        const Matrix v = cached(args_.v_cache, item, keys, own);
        float* sums = with_room(own.sums, item.rows * head_dim_);
        LOCKSTEP_TRY(onednn_.multiply(thread, factor_dtype_, item.rows, keys, head_dim_, weights, v,
                                      {sums, head_dim_}));
        for (int64_t i = 0; i < item.rows; ++i) {
            char* out = static_cast<char*>(row_bytes_of(args_.attn, item.row(i)));
            narrow(sums + i * head_dim_, head_dim_, dtype_,
                   out + dtype_bytes(dtype_, item.head(i) * head_dim_));
        }
        return {};
    }

  private:
    bool widens() const { return factor_dtype_ != dtype_; }

    Matrix queries(const Item& item, AttentionScratch::Thread& own) const {
        const int64_t stride = args_.q.stride[item.by_heads ? 1 : 0];
        const int64_t first =
            item.first_row * args_.q.stride[0] + item.first_head * args_.q.stride[1];
        return matrix(args_.q, first, stride, item.rows, own.q);
    }

    Matrix cached(const Tensor& cache, const Item& item, int64_t keys,
                  AttentionScratch::Thread& own) const {
        return matrix(cache, item.group * cache.stride[1], cache.stride[0], keys, own.kv);
    }

    Matrix matrix(const Tensor& tensor, int64_t first, int64_t stride, int64_t rows,
                  std::vector<float>& room) const {
        char* data = tensor.as<char>() + dtype_bytes(dtype_, first);
        if (!widens()) return {data, stride};
        float* wide = with_room(room, rows * head_dim_);
        for (int64_t r = 0; r < rows; ++r)
            widen(data + dtype_bytes(dtype_, r * stride), dtype_, head_dim_, wide + r * head_dim_);
        return {wide, head_dim_};
    }

    // The weights of each query's keys, rounded: in the scores' place, or as 16 bits.
    Matrix softmax(const Item& item, int64_t keys, float* scores,
                   AttentionScratch::Thread& own) const {
        for (int64_t i = 0; i < item.rows; ++i) {
            const int64_t seen = position_ + item.row(i) + 1;
            softmax_row(scores + i * keys, seen, args_.scale, dtype_);
            std::fill(scores + i * keys + seen, scores + (i + 1) * keys, 0.0f);
        }
        if (factor_dtype_ == DType::f32) {
            round_in_place(scores, item.rows * keys, dtype_);
            return {scores, keys};
        }
        uint16_t* weights = with_room(own.weights, item.rows * keys);
        narrow(scores, item.rows * keys, dtype_, weights);
        return {weights, keys};
    }

    const AttentionArgs& args_;
    int64_t position_;
    OneDnn& onednn_;
    DType dtype_, factor_dtype_;
    int64_t heads_, head_dim_, ratio_;
};

}  // namespace

Status reference_attention(const AttentionArgs& args, Stream& stream,
                           std::optional<Products> products) {
    LOCKSTEP_TRY(require_activations(args, args.q.dtype, "reference"));
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    const Attention attention(args, position, stream,
                              products.value_or(products_for(args.q.dtype)));
    LOCKSTEP_TRY(attention.prepare());
    AttentionScratch& scratch = stream.state<AttentionScratch>();
    CpuStream& cpu = cpu_stream(stream);
    cpu.pool().parallel_for(attention.items(), 1, [&](int64_t first, int64_t last, int thread) {
        AttentionScratch::Thread& own = scratch.threads[static_cast<size_t>(thread)];
        for (int64_t i = first; i < last && own.status && !cpu.stopped(); ++i)
            own.status = attention.run(attention.item(i), thread, own);
    });
    for (AttentionScratch::Thread& own : scratch.threads)
        LOCKSTEP_TRY(std::exchange(own.status, Status()));
    return {};
}

}  // namespace lockstep
