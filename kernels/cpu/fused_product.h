// SPDX-License-Identifier: GPL-3.0-or-later
// How a fused step multiplies rows with weights: norm (or nothing) before, the step's own epilogue
// after, both while the values are in cache. One dispatch of the threads per step in decode: a norm
// of a few rows is cheaper computed by every thread than waited for.
#pragma once

#include <algorithm>
#include <array>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/cpu/fused_kernels.h"
#include "kernels/cpu/fused_scratch.h"
#include "kernels/cpu/operands.h"

namespace lockstep {

// The rows on a product's left.
struct ProductRows {
    Tensor rows;         // [T, K], activations
    Tensor norm_weight;  // [K] where the rows are normed first, else undefined
    float eps = 0;
};

// Groups [first, first + groups) of rows [row, row + rows) have been computed: c is [rows]
// [panel_columns], in the order of the layout's columns.
struct FinishedPanel {
    int64_t first = 0, groups = 0;
    int64_t row = 0, rows = 0;
    const float* c = nullptr;

    const float* row_values(int64_t r) const { return c + r * panel_columns; }
};

// Up to so many rows, each thread makes its own copy of the left side; above, they share the work.
inline constexpr int64_t rows_made_by_each_thread = 4;

class Product {
  public:
    Product(const ProductRows& left, DType weight_dtype, Stream& stream)
        : kernels_(fused_kernels()),
          left_(left),
          stream_(cpu_stream(stream)),
          pool_(stream_.pool()),
          scratch_(stream.state<FusedScratch>()),
          order_(stream.state<ReadOrder>()),
          rows_(left.rows.shape[0]),
          depth_(left.rows.shape[1]),
          weight_dtype_(weight_dtype) {
        const bool pairs = weight_dtype == DType::bf16 && left.rows.dtype == DType::bf16 &&
                           kernels_.product_bf16_pairs;
        dtype_ = pairs ? DType::bf16 : DType::f32;
        panel_rows_ = pairs ? panel_rows_of_pairs : panel_rows_of_floats;
        function_ = pairs                         ? kernels_.product_bf16_pairs
                    : weight_dtype == DType::bf16 ? kernels_.product_bf16
                    : weight_dtype == DType::f16  ? kernels_.product_f16
                                                  : kernels_.product_f32;
        ready_ = !left.norm_weight.defined() && left.rows.dtype == dtype_;
    }

    // Layout: static constexpr int64_t group_columns;  // a divisor of panel_columns
    //         int64_t groups() const;
    //         // the weights of groups [first, first + count), group_columns a group
    //         void columns(int64_t first, int64_t count, const void** weights) const;
    //         void finish(const FinishedPanel&) const;
    template <class Layout>
    Status run(const Layout& layout) {
        LOCKSTEP_TRY(reserve());
        const bool shared = !ready_ && rows_ > rows_made_by_each_thread;
        if (shared) {
            Claims claims(scratch_.shares(), rows_, 4);
            share_out(pool_, claims, [&](int thread, Pieces& pieces) {
                const Own own = carve(thread);
                begin(own);
                for (int64_t first, last; pieces.next(first, last);)
                    make(own, first, last, scratch_.shared());
            });
        }
        // Several rows are multiplied with 16, 32 or best 64 columns at a time.
        const bool several = rows_ > rows_made_by_each_thread;
        const int64_t unit = several ? 16 / Layout::group_columns : 1;
        const int64_t smallest = !several ? 1 : rows_ < many_rows || dtype_ != DType::f32 ? 2 : 4;
        const auto body = [&](int thread, Pieces& pieces) {
            const Own own = carve(thread);
            PanelProduct p = left_side(own, shared);
            for (int64_t first, last; pieces.next(first, last);) {
                first *= unit;
                last = std::min(last * unit, layout.groups());
                for (int64_t row = 0; row < rows_; row += panel_rows_) {
                    compute(layout, p, own, first, last, row);
                }
            }
        };
        Claims claims(scratch_.shares(), (layout.groups() + unit - 1) / unit, smallest);
        if (rows_ > 1) {
            share_out(pool_, claims, body);
            return {};
        }
        const void* first_columns[panel_columns];
        layout.columns(0, 1, first_columns);
        share_out(pool_, claims, body, order_.begin(first_columns[0]));
        order_.end(first_columns[0], false,
                   [&](FirstReads& reads) { note_reads(layout, claims, reads); });
        return {};
    }

  private:
    struct Own {  // a thread's memory
        float* norm_weight;
        char* rows;
        float *c, *room;
        int64_t bytes;
    };

    Own carve(int thread) const { return carve(scratch_.own(thread)); }
    Own carve(char* memory) const {
        Carver carver(memory);
        Own own{};
        own.norm_weight = carver.take<float>(depth_);
        own.rows = carver.take<char>(std::min(rows_, rows_made_by_each_thread) * row_bytes());
        own.c = carver.take<float>(std::min(rows_, panel_rows_) * panel_columns);
        own.room = carver.take<float>(room_bytes(depth_) / int64_t{sizeof(float)});
        own.bytes = carver.bytes();
        return own;
    }
    int64_t stride() const { return (depth_ + 31) / 32 * 32; }
    int64_t row_bytes() const { return dtype_bytes(dtype_, stride()); }

    Status reserve() {
        return scratch_.reserve(ready_ ? 0 : rows_ * row_bytes(), carve(nullptr).bytes);
    }

    void begin(const Own& own) const {
        const Tensor& w = left_.norm_weight;
        if (w.defined()) kernels_.convert(w.data, w.dtype, depth_, own.norm_weight, DType::f32);
    }
    void make(const Own& own, int64_t first, int64_t last, char* to) const {
        for (int64_t t = first; t < last; ++t) {
            const void* row = row_bytes_of(left_.rows, t);
            char* out = to + t * row_bytes();
            if (left_.norm_weight.defined()) {
                kernels_.rms_norm(row, left_.rows.dtype, own.norm_weight, left_.eps, depth_, out,
                                  dtype_);
            } else {
                kernels_.convert(row, left_.rows.dtype, depth_, out, dtype_);
            }
        }
    }
    PanelProduct left_side(const Own& own, bool shared) const {
        PanelProduct p;
        p.depth = depth_;
        p.a = ready_ ? left_.rows.data : shared ? scratch_.shared() : own.rows;
        p.a_stride = ready_ ? left_.rows.stride[0] : stride();
        if (!ready_ && !shared) {
            begin(own);
            make(own, 0, rows_, own.rows);
        }
        return p;
    }

    // The weights that each thread begins with.
    template <class Layout>
    void note_reads(const Layout& layout, const Claims& claims, FirstReads& reads) const {
        const int64_t bytes = dtype_bytes(weight_dtype_, depth_);
        constexpr int64_t most = panel_columns / Layout::group_columns;
        std::array<const void*, panel_columns> weights;
        for (int thread = 0; thread < pool_.threads(); ++thread) {
            const int64_t last = claims.last_of(thread);
            bool more = true;
            for (int64_t group = claims.first_of(thread); group < last && more; group += most) {
                const int64_t groups = std::min(most, last - group);
                layout.columns(group, groups, weights.data());
                for (int64_t n = 0; n < groups * Layout::group_columns && more; ++n)
                    more = reads.add(thread, weights[static_cast<size_t>(n)], bytes);
            }
        }
    }

    // Groups [first, last) of the panel of rows that begins at `row`.
    template <class Layout>
    void compute(const Layout& layout, PanelProduct& p, const Own& own, int64_t first, int64_t last,
                 int64_t row) const {
        std::array<const void*, panel_columns> weights;
        const void* const a = p.a;
        p.a = static_cast<const char*>(a) + dtype_bytes(dtype_, row * p.a_stride);
        p.rows = std::min(panel_rows_, rows_ - row);
        p.b = weights.data();
        p.c = own.c;
        p.room = own.room;
        constexpr int64_t most = panel_columns / Layout::group_columns;
        for (int64_t group = first; group < last && !stream_.stopped(); group += most) {
            const int64_t groups = std::min(most, last - group);
            layout.columns(group, groups, weights.data());
            p.columns = groups * Layout::group_columns;
            function_(p);
            p.first_call = false;
            layout.finish({group, groups, row, p.rows, own.c});
        }
        p.a = a;
    }

    const FusedKernels& kernels_;
    const ProductRows& left_;
    CpuStream& stream_;
    ThreadPool& pool_;
    FusedScratch& scratch_;
    ReadOrder& order_;
    const int64_t rows_, depth_;
    const DType weight_dtype_;
    DType dtype_;  // of the rows as they are multiplied
    int64_t panel_rows_;
    PanelFunction function_;
    bool ready_;  // the activations can be multiplied as they lie in memory
};

}  // namespace lockstep
