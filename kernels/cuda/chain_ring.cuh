// SPDX-License-Identifier: GPL-3.0-or-later
// The ring of a chain: stages of shared memory that one warp fills by bulk copies, in the order in
// which the others read them. A stage is full when its bytes are there, empty when every
// multiplying warp has left it. sm_90 on.
#pragma once

#include "kernels/cuda/chain.h"
#include "kernels/cuda/device_math.cuh"

namespace lockstep::fused {

constexpr int multiplying_threads = multiplying_warps * 32;

struct Place {
    int stage = 0;
    uint32_t phase = 0;  // of the barriers: changes each time round
    __device__ void next(int stages) {
        const bool wraps = ++stage == stages;
        phase ^= wraps;
        stage = wraps ? 0 : stage;
    }
    __device__ void advance(int count, int stages) {
        for (stage += count; stage >= stages; stage -= stages) phase ^= 1;
    }
};

struct Ring {
    unsigned char* memory;
    uint64_t *full, *empty;
    int stages, stage_bytes;

    __device__ unsigned char* at(int stage) const { return memory + stage * stage_bytes; }

    __device__ void prepare() const {
        for (int i = 0; i < stages; ++i) {
            asm volatile(
                "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(device::shared_address(full + i)),
                "r"(1));
            asm volatile(
                "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(device::shared_address(empty + i)),
                "r"(multiplying_warps));
        }
#if __CUDA_ARCH__ >= 900
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
    }
    __device__ void wait_full(const Place& place) const {
        wait(full + place.stage, place.phase);
    }
    // Before its first use a stage counts as left.
    __device__ void wait_empty(const Place& place) const {
        wait(empty + place.stage, place.phase ^ 1);
    }
    // For so many of the multiplying warps: they have read what they need of the stage.
    __device__ void leave(const Place& place, int warps) const {
        arrive(empty + place.stage, warps);
    }
    // A stage that nothing is copied into: its readers fill it themselves.
    __device__ void hand_over(const Place& place) const {
        arrive(full + place.stage, 1);
    }
    __device__ void expect(const Place& place, int bytes) const {
#if __CUDA_ARCH__ >= 900
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                         device::shared_address(full + place.stage)),
                     "r"(bytes)
                     : "memory");
#endif
    }
    // to, from: addresses in shared and in device memory.
    __device__ void copy(const Place& place, uint32_t to, uint64_t from, int bytes) const {
#if __CUDA_ARCH__ >= 900
        asm volatile(
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
            "[%3];" ::"r"(to),
            "l"(from), "r"(bytes), "r"(device::shared_address(full + place.stage))
            : "memory");
#endif
    }

  private:
    __device__ static void arrive(uint64_t* barrier, int times) {
#if __CUDA_ARCH__ >= 900
        asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(
                         device::shared_address(barrier)),
                     "r"(times)
                     : "memory");
#endif
    }
    __device__ static void wait(uint64_t* barrier, uint32_t phase) {
#if __CUDA_ARCH__ >= 900
        asm volatile(
            "{\n"
            ".reg .pred done;\n"
            "again:\n"
            "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
            "@!done bra again;\n"
            "}\n" ::"r"(device::shared_address(barrier)),
            "r"(phase)
            : "memory");
#endif
    }
};

// The multiplying warps meet; the one that copies goes its own way.
__device__ __forceinline__ void meet() {
    asm volatile("bar.sync 1, %0;" ::"n"(multiplying_threads) : "memory");
}

// A word of the exchange: the value below, the tag above.
__device__ __forceinline__ void send(uint64_t* to, uint32_t value, uint32_t tag) {
    asm volatile("st.relaxed.gpu.global.b64 [%0], %1;" ::"l"(to), "l"(uint64_t{tag} << 32 | value)
                 : "memory");
}
// Two words, from an even one on: what is there now.
struct TwoWords {
    uint64_t first, second;
    __device__ __forceinline__ void load(const uint64_t* from) {
        asm volatile("ld.relaxed.gpu.global.v2.b64 {%0, %1}, [%2];"
                     : "=l"(first), "=l"(second)
                     : "l"(from)
                     : "memory");
    }
    __device__ __forceinline__ bool have(uint32_t tag) const {
        return static_cast<uint32_t>(first >> 32) == tag &&
               static_cast<uint32_t>(second >> 32) == tag;
    }
    __device__ __forceinline__ uint32_t low() const { return static_cast<uint32_t>(first); }
    __device__ __forceinline__ uint32_t high() const { return static_cast<uint32_t>(second); }
};

// Count times two words, from(i) on, as soon as all are there: they are asked for together.
template <int Count, class From>
__device__ __forceinline__ void receive(const From& from, uint32_t tag, TwoWords (&words)[Count]) {
    bool there;
    do {
        there = true;
#pragma unroll
        for (int i = 0; i < Count; ++i) words[i].load(from(i));
#pragma unroll
        for (int i = 0; i < Count; ++i) there = there && words[i].have(tag);
    } while (!there);
}
__device__ __forceinline__ void receive(const uint64_t* from, uint32_t tag, uint32_t (&value)[2]) {
    TwoWords words[1];
    receive([&](int) { return from; }, tag, words);
    value[0] = words[0].low();
    value[1] = words[0].high();
}

// A block's share of a product: its units, and its stages: their rows in eights, each in pieces.
struct Share {
    int first, units, rows, groups;
    __device__ explicit Share(const ProductLink& p) {
        // Whoever has one more of attn_output and down has one less of the others.
        const int block = static_cast<int>(p.residual ? blockIdx.x : gridDim.x - 1 - blockIdx.x);
        first = (block * p.words_each + min(block, p.more_words)) * p.word_units;
        units = (p.words_each + (block < p.more_words ? 1 : 0)) * p.word_units;
        rows = units * p.parts;
        groups = (rows + stage_rows - 1) / stage_rows;
    }
    // What attn_output and down put out, two to a word.
    __device__ explicit Share(const EmbedLink& e) : rows(0), groups(0) {
        const int block = static_cast<int>(blockIdx.x);
        first = (block * e.words_each + min(block, e.more_words)) * 2;
        units = (e.words_each + (block < e.more_words ? 1 : 0)) * 2;
    }
};

// One of q's, k's and v's heads, and a pair of its dimensions: what a unit of qkv is.
struct HeadPair {
    int which, head, i, half;
    __device__ HeadPair(const ProductLink& p, int unit) {
        half = p.dim / 2;
        head = static_cast<int>(__umulhi(unit, p.half_inverse));
        i = unit - head * half;
        which = (head >= p.first_k) + (head >= p.first_v);
        head -= which == 2 ? p.first_v : which == 1 ? p.first_k : 0;
    }
};

// Which weight row a block's local row is: a unit's parts follow each other.
template <class T>
__device__ const T* weight_row(Link::Kind kind, const ProductLink& p, const Share& share,
                               int local) {
    const int unit = share.first + (p.parts == 2 ? local / 2 : local);
    const int part = p.parts == 2 ? local % 2 : 0;
    if (kind != Link::Kind::heads)
        return static_cast<const T*>(p.weight[part]) + int64_t{unit} * p.weight_stride[part];
    const HeadPair pair(p, unit);
    const int64_t row = int64_t{pair.head} * p.dim + pair.i + part * pair.half;
    return static_cast<const T*>(p.weight[pair.which]) + row * p.weight_stride[pair.which];
}

// A copying warp's way through the ring. The first one fills it; of logits' many stages the others
// have every so-manieth, each time round, as the barriers' phases want it.
struct Copier {
    Ring ring;
    Place place;
    int warp;

    // Whether the next stage is this warp's: then it waits until the stage is empty.
    __device__ bool begin(bool shared) const {
        if ((shared ? place.stage % copying_warps : 0) != warp) return false;
        ring.wait_empty(place);
        return true;
    }
    // Before a shared link: nobody is a round of the ring ahead of the first warp.
    __device__ static void meet() {
        asm volatile("bar.sync 2, %0;" ::"n"(copying_warps * 32) : "memory");
    }
    __device__ void next() { place.next(ring.stages); }
};

__device__ __forceinline__ void ask_ahead(const void* from) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
}
// A product's norm and biases are asked for before its link's turn: behind the weights they come
// late. (Weights asked for ahead, of any link, by this warp or another, made tokens slower.)
template <class T>
__device__ void ask_for_product(const Link& link) {
    const ProductLink& p = link.product;
    const Share share(p);
    const int lane = threadIdx.x % 32;
    constexpr int line = 128 / sizeof(T);
    if (p.norm) {
        for (int i = lane * line; i < p.depth; i += 32 * line)
            ask_ahead(static_cast<const T*>(p.norm) + i);
    }
    if (link.kind == Link::Kind::heads && lane < share.units) {
        const HeadPair pair(p, share.first + lane);
        if (const T* const bias = static_cast<const T*>(p.bias[pair.which])) {
            ask_ahead(bias + pair.head * p.dim + pair.i);
            ask_ahead(bias + pair.head * p.dim + pair.i + pair.half);
        }
    }
}

template <class T>
__device__ void stream_product(const Link& link, Copier& copier) {
    const int lane = threadIdx.x % 32;
    const ProductLink& p = link.product;
    const Share share(p);
    const bool shared = link.kind == Link::Kind::logits;
    if (shared) {
        Copier::meet();
    } else if (copier.warp != 0) {
        copier.place.advance(share.groups * p.pieces, copier.ring.stages);
        return;
    }
    if (share.units == 0) return;
    for (int row = 0; row < share.rows; row += stage_rows) {
        const int count = min(stage_rows, share.rows - row);
        const T* const own =
            lane < count ? weight_row<T>(link.kind, p, share, row + lane) : nullptr;
        // A copy is an instruction of the whole warp: what it is given must be seen to be the same
        // in all lanes.
        uint64_t from[stage_rows];
#pragma unroll
        for (int i = 0; i < stage_rows; ++i)
            from[i] = __shfl_sync(0xffffffffU, reinterpret_cast<uint64_t>(own), i);
        for (int column = 0; column < p.depth; column += piece_columns, copier.next()) {
            if (!copier.begin(shared)) continue;
            const int bytes = min(piece_columns, p.depth - column) * static_cast<int>(sizeof(T));
            if (lane == 0) copier.ring.expect(copier.place, count * bytes);
            __syncwarp();
            const uint32_t to = device::shared_address(copier.ring.at(copier.place.stage));
            const uint64_t offset = column * sizeof(T);
            const int pitch = p.pitch;
            if (device::is_elected()) {
#pragma unroll
                for (int i = 0; i < stage_rows; ++i) {
                    if (i < count)
                        copier.ring.copy(copier.place, to + i * pitch, from[i] + offset, bytes);
                }
            }
            __syncwarp();
        }
    }
}

}  // namespace lockstep::fused
