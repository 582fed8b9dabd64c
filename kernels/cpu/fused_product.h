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
// [panel_columns], a group's columns side by side.
struct FinishedPanel {
    int64_t first = 0, groups = 0;
    int64_t row = 0, rows = 0;
    const float* c = nullptr;

    const float* row_values(int64_t r) const { return c + r * panel_columns; }
};

// Up to so many rows, each thread makes its own copy of the left side; above, they share the work.
inline constexpr int64_t rows_made_by_each_thread = 4;
// Rows of which a panel is computed before its epilogue: its sums stay in the second-level cache.
inline constexpr int64_t panel_rows = 192;

class Product {
  public:
    Product(const ProductRows& left, DType weight_dtype, Stream& stream)
        : kernels_(fused_kernels()),
          left_(left),
          stream_(cpu_stream(stream)),
          pool_(stream_.pool()),
          scratch_(stream.state<FusedScratch>()),
          rows_(left.rows.shape[0]),
          depth_(left.rows.shape[1]) {
        const bool pairs = weight_dtype == DType::bf16 && left.rows.dtype == DType::bf16 &&
                           kernels_.product_bf16_pairs;
        dtype_ = pairs ? DType::bf16 : DType::f32;
        function_ = pairs                         ? kernels_.product_bf16_pairs
                    : weight_dtype == DType::bf16 ? kernels_.product_bf16
                    : weight_dtype == DType::f16  ? kernels_.product_f16
                                                  : kernels_.product_f32;
        ready_ = !left.norm_weight.defined() && left.rows.dtype == dtype_;
    }

    // Layout: static constexpr int64_t group_columns;  // a divisor of panel_columns
    //         int64_t groups() const;
    //         void columns(int64_t group, const void** weights) const;  // group_columns of them
    //         void finish(const FinishedPanel&) const;
    template <class Layout>
    Status run(const Layout& layout) {
        LOCKSTEP_TRY(reserve());
        const bool shared = !ready_ && rows_ > rows_made_by_each_thread;
        if (shared) {
            share_out(pool_, Claims(rows_, 4, pool_.threads()), [&](int thread, Pieces& pieces) {
                const Own own = carve(thread);
                begin(own);
                for (int64_t first, last; pieces.next(first, last);)
                    make(own, first, last, scratch_.shared());
            });
        }
        const int64_t smallest = rows_ > rows_made_by_each_thread ? 2 : 1;
        share_out(pool_, Claims(layout.groups(), smallest, pool_.threads()),
                  [&](int thread, Pieces& pieces) {
                      const Own own = carve(thread);
                      PanelProduct p = left_side(own, shared);
                      for (int64_t first, last; pieces.next(first, last);) {
                          for (int64_t row = 0; row < rows_; row += panel_rows) {
                              compute(layout, p, own, first, last, row);
                          }
                      }
                  });
        return {};
    }

  private:
    struct Own {  // a thread's memory
        float* norm_weight;
        char* rows;
        float* c;
        int64_t bytes;
    };

    Own carve(int thread) const {
        Carver carver(scratch_.own(thread));
        Own own{};
        own.norm_weight = carver.take<float>(depth_);
        own.rows = carver.take<char>(std::min(rows_, rows_made_by_each_thread) * row_bytes());
        own.c = carver.take<float>(std::min(rows_, panel_rows) * panel_columns);
        own.bytes = carver.bytes();
        return own;
    }
    int64_t stride() const { return (depth_ + 31) / 32 * 32; }
    int64_t row_bytes() const { return dtype_bytes(dtype_, stride()); }

    Status reserve() {
        Carver carver(nullptr);
        carver.take<float>(depth_);
        carver.take<char>(rows_made_by_each_thread * row_bytes());
        carver.take<float>(std::min(rows_, panel_rows) * panel_columns);
        return scratch_.reserve(ready_ ? 0 : rows_ * row_bytes(), carver.bytes());
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

    // Groups [first, last) of the panel of rows that begins at `row`.
    template <class Layout>
    void compute(const Layout& layout, PanelProduct p, const Own& own, int64_t first, int64_t last,
                 int64_t row) const {
        std::array<const void*, panel_columns> weights;
        p.a = static_cast<const char*>(p.a) + dtype_bytes(dtype_, row * p.a_stride);
        p.rows = std::min(panel_rows, rows_ - row);
        p.b = weights.data();
        p.c = own.c;
        constexpr int64_t most = panel_columns / Layout::group_columns;
        for (int64_t group = first; group < last && !stream_.stopped(); group += most) {
            const int64_t groups = std::min(most, last - group);
            for (int64_t g = 0; g < groups; ++g) {
                layout.columns(group + g, weights.data() + g * Layout::group_columns);
            }
            p.columns = groups * Layout::group_columns;
            function_(p);
            layout.finish({group, groups, row, p.rows, own.c});
        }
    }

    const FusedKernels& kernels_;
    const ProductRows& left_;
    CpuStream& stream_;
    ThreadPool& pool_;
    FusedScratch& scratch_;
    const int64_t rows_, depth_;
    DType dtype_;  // of the rows as they are multiplied
    PanelFunction function_;
    bool ready_;  // the activations can be multiplied as they lie in memory
};

}  // namespace lockstep
