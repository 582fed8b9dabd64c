// SPDX-License-Identifier: GPL-3.0-or-later
// The fused attention step. Keys are taken in chunks; a few rows (decode) are shared out over heads
// and chunks and merged by the thread that ends a head's last chunk, many rows (prefill) over heads
// and blocks of rows, each of which walks its chunks in order. Both merge the same chunks in the
// same order: a row's bits do not depend on which way it went.
#include <array>
#include <cmath>

#include "kernels/cpu/fused.h"
#include "kernels/cpu/fused_kernels.h"
#include "kernels/cpu/fused_scratch.h"
#include "kernels/cpu/operands.h"

namespace lockstep {
namespace {

constexpr int64_t most_rows_by_chunk = 4;
// Of a prefill block: rows times heads that share a kv head. Packing a chunk for 96 costs about a
// thirtieth of what they then do with it; blocks are made of whole tiles of the kernels.
constexpr int64_t block_queries = 96;
constexpr int64_t tile_rows = 6;
// So many read the values where they are: widened once or twice, they are not worth a copy.
constexpr int64_t few_queries = 12;
constexpr int64_t units_per_thread = 4;

class Attention {
  public:
    Attention(const AttentionArgs& args, int64_t position, Stream& stream)
        : args_(args),
          kernels_(fused_kernels()),
          pairs_(args.q.dtype == DType::bf16 && kernels_.attention_bf16_pairs.attend),
          attention_(pairs_                       ? kernels_.attention_bf16_pairs
                     : args.q.dtype == DType::f32 ? kernels_.attention_f32
                                                  : kernels_.attention),
          stream_(cpu_stream(stream)),
          pool_(stream_.pool()),
          scratch_(stream.state<FusedScratch>()),
          order_(stream.state<ReadOrder>()),
          position_(position),
          rows_(args.q.shape[0]),
          kv_heads_(args.k_cache.shape[1]),
          heads_per_kv_(args.q.shape[1] / kv_heads_),
          head_dim_(args.q.shape[2]),
          words_((head_dim_ + attention_.per_word - 1) / attention_.per_word),
          padded_head_dim_((head_dim_ + 15) / 16 * 16) {}

    Status run() { return rows_ <= most_rows_by_chunk ? by_chunk() : by_block(); }

  private:
    struct Own {  // a thread's memory for a group of queries
        float* q;
        int32_t* visible;
        float *packed_k, *packed_v;
        PartialSoftmax running;
    };

    PartialSoftmax take_partial(Carver& carver, int64_t queries) const {
        PartialSoftmax p;
        p.maximum = carver.take<float>(queries + partial_padding);
        p.sum = carver.take<float>(queries + partial_padding);
        p.o = carver.take<float>(queries * padded_head_dim_);
        return p;
    }
    Own take_own(Carver& carver, int64_t queries) const {
        Own own{};
        own.q = carver.take<float>(queries * words_);
        own.visible = carver.take<int32_t>(queries);
        own.packed_k = carver.take<float>(words_ * chunk_keys);
        own.packed_v = carver.take<float>(chunk_keys * padded_head_dim_);
        own.running = take_partial(carver, queries);
        return own;
    }
    Status reserve(int64_t shared_bytes, int64_t queries) const {
        Carver carver(nullptr);
        take_own(carver, queries);
        return scratch_.reserve(shared_bytes, carver.bytes());
    }
    // Nothing seen yet: what is folded in then comes out as it is.
    void begin(const PartialSoftmax& p, int64_t queries) const {
        std::fill_n(p.maximum, queries + partial_padding, -HUGE_VALF);
        std::fill_n(p.sum, queries + partial_padding, 0.0f);
        std::fill_n(p.o, queries * padded_head_dim_, 0.0f);
    }

    // The queries of rows [first, last) that share kv head `kv`: row by row, head by head.
    void load_queries(const Own& own, int64_t kv, int64_t first, int64_t last) const {
        const DType dtype = pairs_ ? DType::bf16 : DType::f32;
        float* to = own.q;
        for (int64_t t = first; t < last; ++t) {
            for (int64_t h = 0; h < heads_per_kv_; ++h, to += words_) {
                const void* from =
                    static_cast<const char*>(row_bytes_of(args_.q, t)) +
                    dtype_bytes(args_.q.dtype, (kv * heads_per_kv_ + h) * args_.q.stride[1]);
                to[words_ - 1] = 0;
                kernels_.convert(from, args_.q.dtype, head_dim_, to, dtype);
            }
        }
    }

    // Attends rows [first, last) to the keys of one chunk.
    void attend(const Own& own, int64_t kv, int64_t first, int64_t last, int64_t chunk,
                const PartialSoftmax& out, ReadAhead* ahead) const {
        const int64_t key = chunk * chunk_keys;
        const auto seen_by = [&](int64_t t) {
            return std::clamp<int64_t>(position_ + t + 1 - key, 0, chunk_keys);
        };
        ChunkKeys keys;
        keys.k = key_of(args_.k_cache, key, kv);
        keys.v = key_of(args_.v_cache, key, kv);
        keys.k_stride = args_.k_cache.stride[0];
        keys.v_stride = args_.v_cache.stride[0];
        keys.dtype = args_.k_cache.dtype;
        keys.count = seen_by(last - 1);
        keys.head_dim = head_dim_;
        keys.padded_head_dim = padded_head_dim_;
        keys.ahead = ahead;
        keys.packed_k = own.packed_k;
        const int64_t queries = (last - first) * heads_per_kv_;
        const bool in_place = queries <= few_queries && head_dim_ == padded_head_dim_;
        keys.packed_v = in_place ? nullptr : own.packed_v;
        attention_.pack(keys);

        for (int64_t t = first; t < last; ++t) {
            std::fill_n(own.visible + (t - first) * heads_per_kv_, heads_per_kv_,
                        static_cast<int32_t>(seen_by(t)));
        }
        AttendChunk c;
        c.q = own.q;
        c.queries = queries;
        c.visible = own.visible;
        c.scale = args_.scale;
        c.head_dim = head_dim_;
        c.padded_head_dim = padded_head_dim_;
        c.packed_k = own.packed_k;
        c.v = in_place ? keys.v : own.packed_v;
        c.v_stride = in_place ? keys.v_stride : padded_head_dim_;
        c.v_dtype = in_place ? keys.dtype : DType::f32;
        c.ahead = ahead;
        c.out = out;
        attention_.attend(c);
    }
    static const void* key_of(const Tensor& cache, int64_t key, int64_t kv) {
        return static_cast<const char*>(row_bytes_of(cache, key)) +
               dtype_bytes(cache.dtype, kv * cache.stride[1]);
    }

    // First row of [0, rows_) that sees a key of the chunk, as an index of queries.
    int64_t first_seeing(int64_t chunk) const {
        return std::clamp<int64_t>(chunk * chunk_keys - position_, 0, rows_) * heads_per_kv_;
    }

    void finish(const PartialSoftmax& running, int64_t kv, int64_t first, int64_t last) const {
        int64_t i = 0;
        for (int64_t t = first; t < last; ++t) {
            for (int64_t h = 0; h < heads_per_kv_; ++h, ++i) {
                char* to = static_cast<char*>(row_bytes_of(args_.attn, t)) +
                           dtype_bytes(args_.attn.dtype, (kv * heads_per_kv_ + h) * head_dim_);
                kernels_.divide(running.o + i * padded_head_dim_, running.sum[i], head_dim_, to,
                                args_.attn.dtype);
            }
        }
    }

    int64_t chunks_of(int64_t keys) const { return (keys + chunk_keys - 1) / chunk_keys; }

    // Units are (kv head, chunk). Each leaves its partial in shared memory.
    Status by_chunk() {
        const int64_t queries = rows_ * heads_per_kv_;
        const int64_t chunks = chunks_of(position_ + rows_);
        // Room for the whole cache at once, so that a growing answer does not allocate.
        const int64_t room = kv_heads_ * chunks_of(args_.k_cache.shape[0]);
        Carver sizes(nullptr);
        sizes.take<std::atomic<int64_t>>(kv_heads_);
        const int64_t header = sizes.bytes();
        Carver one(nullptr);
        take_partial(one, queries);
        LOCKSTEP_TRY(reserve(header + room * one.bytes(), queries));

        auto* left = reinterpret_cast<std::atomic<int64_t>*>(scratch_.shared());
        for (int64_t kv = 0; kv < kv_heads_; ++kv) new (left + kv) std::atomic<int64_t>(chunks);
        const auto partial = [&](int64_t kv, int64_t chunk) {
            Carver carver(scratch_.shared() + header + (kv * chunks + chunk) * one.bytes());
            return take_partial(carver, queries);
        };
        const auto body = [&](int thread, Pieces& pieces) {
            Carver carver(scratch_.own(thread));
            const Own own = take_own(carver, queries);
            for (int64_t first, last; pieces.next(first, last);) {
                attend_units(own, first, last, chunks, left, partial, pool_.read_ahead());
            }
        };
        // The last chunk may be short: its units go to whoever is free.
        const int64_t whole = kv_heads_ * ((position_ + rows_) / chunk_keys);
        Claims claims =
            Claims::one_by_one(scratch_.shares(), kv_heads_ * chunks, whole / pool_.threads());
        if (rows_ > 1) {
            share_out(pool_, claims, body);
            return {};
        }
        share_out(pool_, claims, body, order_.begin(args_.k_cache.data));
        order_.end(args_.k_cache.data, true, [&](FirstReads& reads) { note_reads(claims, reads); });
        return {};
    }
    // The keys and values of each thread's first chunk.
    void note_reads(const Claims& claims, FirstReads& reads) const {
        for (int thread = 0; thread < pool_.threads(); ++thread) {
            const int64_t unit = claims.first_of(thread);
            if (unit == claims.last_of(thread)) continue;
            for (const Extent& rows : rows_of_chunk(unit / kv_heads_))
                reads.add(thread, rows.first, rows.bytes);
        }
    }
    // Its keys and its values, of all heads: neighbours in memory.
    std::array<Extent, 2> rows_of_chunk(int64_t chunk) const {
        const int64_t key = chunk * chunk_keys;
        const int64_t count = std::clamp<int64_t>(position_ + rows_ - key, 0, chunk_keys);
        const auto rows = [&](const Tensor& cache) {
            return Extent{static_cast<const char*>(key_of(cache, key, 0)),
                          count * dtype_bytes(cache.dtype, cache.stride[0])};
        };
        return {rows(args_.k_cache), rows(args_.v_cache)};
    }
    // Unit u is chunk u / kv_heads_ for kv head u % kv_heads_: neighbours in memory, one after
    // another. While one chunk is computed, the next one comes; with the last, what comes after
    // this step.
    template <class PartialOf>
    void attend_units(const Own& own, int64_t first, int64_t last, int64_t chunks,
                      std::atomic<int64_t>* left, const PartialOf& partial,
                      ReadAhead& after) const {
        fetch(first, last);
        std::array<Extent, 2> rows;
        ReadAhead next;
        for (int64_t unit = first; unit < last; ++unit) {
            const int64_t kv = unit % kv_heads_, chunk = unit / kv_heads_;
            if (unit == first || kv == 0) {
                next.all();
                if (chunk + 1 < chunks) {
                    rows = rows_of_chunk(chunk + 1);
                    next = ReadAhead(rows);
                }
            }
            load_queries(own, kv, 0, rows_);
            const PartialSoftmax part = partial(kv, chunk);
            begin(part, rows_ * heads_per_kv_);
            attend(own, kv, 0, rows_, chunk, part, next.done() ? &after : &next);
            if (left[kv].fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
            merge_chunks(own, kv, chunks, partial);
        }
    }
    // What of the first unit's chunk [first, last) need.
    void fetch(int64_t first, int64_t last) const {
        const int64_t key = first / kv_heads_ * chunk_keys, kv = first % kv_heads_;
        const int64_t heads = std::min(kv_heads_ - kv, last - first);
        const int64_t count = std::min<int64_t>(chunk_keys, position_ + rows_ - key);
        for (const Tensor* cache : {&args_.k_cache, &args_.v_cache}) {
            const int64_t bytes = dtype_bytes(cache->dtype, heads * head_dim_);
            const int64_t row_bytes = dtype_bytes(cache->dtype, cache->stride[0]);
            const auto* row = static_cast<const char*>(key_of(*cache, key, kv));
            for (int64_t i = 0; i < count; ++i, row += row_bytes) {
                for (int64_t b = 0; b < bytes; b += 64) fetch_line(row + b);
            }
        }
    }
    template <class PartialOf>
    void merge_chunks(const Own& own, int64_t kv, int64_t chunks, const PartialOf& partial) const {
        const int64_t queries = rows_ * heads_per_kv_;
        begin(own.running, queries);
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
            kernels_.fold(own.running, partial(kv, chunk), first_seeing(chunk), queries,
                          padded_head_dim_);
        }
        finish(own.running, kv, 0, rows_);
    }

    // Units are (block of rows, kv head), the longest first.
    Status by_block() {
        const auto blocks_of = [&](int64_t block) { return (rows_ + block - 1) / block; };
        const int64_t wanted = units_per_thread * pool_.threads();
        int64_t block = std::max<int64_t>(1, block_queries / heads_per_kv_ / tile_rows) * tile_rows;
        while (block > tile_rows && blocks_of(block) * kv_heads_ < wanted) block -= tile_rows;
        const int64_t blocks = blocks_of(block);
        const int64_t queries = block * heads_per_kv_;
        LOCKSTEP_TRY(reserve(0, queries));
        Claims claims = Claims::one_by_one(scratch_.shares(), blocks * kv_heads_);
        share_out(pool_, claims, [&](int thread, Pieces& pieces) {
            Carver carver(scratch_.own(thread));
            const Own own = take_own(carver, queries);
            for (int64_t unit, last; pieces.next(unit, last);) {
                for (; unit < last && !stream_.stopped(); ++unit) {
                    const int64_t first = (blocks - 1 - unit / kv_heads_) * block;
                    attend_block(own, unit % kv_heads_, first, std::min(rows_, first + block));
                }
            }
        });
        return {};
    }
    void attend_block(const Own& own, int64_t kv, int64_t first, int64_t last) const {
        load_queries(own, kv, first, last);
        begin(own.running, (last - first) * heads_per_kv_);
        for (int64_t chunk = 0; chunk < chunks_of(position_ + last); ++chunk)
            attend(own, kv, first, last, chunk, own.running, nullptr);
        finish(own.running, kv, first, last);
    }

    const AttentionArgs& args_;
    const FusedKernels& kernels_;
    const bool pairs_;
    const AttentionKernels attention_;
    CpuStream& stream_;
    ThreadPool& pool_;
    FusedScratch& scratch_;
    ReadOrder& order_;
    const int64_t position_, rows_, kv_heads_, heads_per_kv_, head_dim_, words_, padded_head_dim_;
};

}  // namespace

Status fused_attention(const AttentionArgs& args, Stream& stream) {
    if (!is_floating(args.q.dtype) || args.q.dtype != args.k_cache.dtype ||
        args.q.dtype != args.v_cache.dtype) {
        return fail(ErrorKind::unsupported,
                    "fused attention needs q and the cache in one floating "
                    "dtype, but they are " +
                        args.q.description() + ", " + args.k_cache.description() + " and " +
                        args.v_cache.description());
    }
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    return Attention(args, position, stream).run();
}

}  // namespace lockstep
