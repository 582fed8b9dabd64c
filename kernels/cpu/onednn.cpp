// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/onednn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <dnnl.hpp>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/cpu/operands.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

// Columns of the weight that one call multiplies: enough to hide the call, few enough that the
// smallest projections keep several threads busy.
constexpr int64_t panel_target = 128;
// A conversation brings a new number of rows now and then; primitives cost 0.1 ms to make.
constexpr size_t most_primitives = 512;

dnnl::memory::data_type data_type(DType dtype) {
    if (dtype == DType::bf16) return dnnl::memory::data_type::bf16;
    if (dtype == DType::f16) return dnnl::memory::data_type::f16;
    return dnnl::memory::data_type::f32;
}

dnnl::memory::desc matrix_desc(DType dtype, int64_t rows, int64_t columns, int64_t row_stride,
                               int64_t column_stride) {
    return {{rows, columns}, data_type(dtype), dnnl::memory::dims{row_stride, column_stride}};
}

// Borders of the weight's panels, the same for any number of threads.
int64_t panel_size(int64_t columns) {
    int64_t panels = (columns + panel_target - 1) / panel_target;
    if (panels > 1) panels += panels % 2;
    const int64_t size = (columns + panels - 1) / panels;
    return (size + 15) / 16 * 16;
}

struct Kernel {
    dnnl::matmul primitive;
    dnnl::memory::desc a, b, bias, c, scratchpad;
};

// Everything that tells one linear primitive from another.
struct LinearShape {
    DType dtype = DType::f32;
    DType out_dtype = DType::f32;
    bool has_bias = false;
    int64_t m = 0, k = 0, n = 0;
    int64_t x_stride = 0, weight_stride = 0, y_stride = 0;
    auto operator<=>(const LinearShape&) const = default;  // NOLINT(modernize-use-nullptr)
};

template <class Desc>
Kernel finish(Kernel kernel, const Desc& desc, const dnnl::engine& engine) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc made(desc, attributes, engine);
    kernel.scratchpad = made.scratchpad_desc();
    kernel.primitive = dnnl::matmul(made);
    return kernel;
}

Kernel make_linear(const LinearShape& shape, const dnnl::engine& engine) {
    Kernel kernel;
    kernel.a = matrix_desc(shape.dtype, shape.m, shape.k, shape.x_stride, 1);
    kernel.b = matrix_desc(shape.dtype, shape.k, shape.n, 1, shape.weight_stride);
    kernel.c = matrix_desc(shape.out_dtype, shape.m, shape.n, shape.y_stride, 1);
    if (!shape.has_bias)
        return finish(kernel, dnnl::matmul::desc(kernel.a, kernel.b, kernel.c), engine);
    kernel.bias = matrix_desc(shape.dtype, 1, shape.n, shape.n, 1);
    return finish(kernel, dnnl::matmul::desc(kernel.a, kernel.b, kernel.bias, kernel.c), engine);
}

// One primitive for every size: attention's are new with every token.
Kernel make_multiply(DType dtype, bool b_transposed, const dnnl::engine& engine) {
    constexpr int64_t any = DNNL_RUNTIME_DIM_VAL;
    Kernel kernel;
    kernel.a = matrix_desc(dtype, any, any, any, 1);
    kernel.b =
        b_transposed ? matrix_desc(dtype, any, any, 1, any) : matrix_desc(dtype, any, any, any, 1);
    kernel.c = matrix_desc(DType::f32, any, any, any, 1);
    return finish(kernel, dnnl::matmul::desc(kernel.a, kernel.b, kernel.c), engine);
}

// oneDNN reports by exceptions; they stop here.
template <class Work>
Status guarded(const Work& work) {
    try {
        work();
        return {};
    } catch (const dnnl::error& error) {
        const auto kind =
            error.status == dnnl_out_of_memory ? ErrorKind::out_of_memory : ErrorKind::internal;
        return fail(kind, std::string("oneDNN: ") + error.what());
    } catch (const std::bad_alloc&) {
        return fail(ErrorKind::out_of_memory, "no memory for a matrix product's workspace");
    }
}

// 16-bit values into f32, one row after the other without gaps.
void widen_rows(const Tensor& from, int64_t first, int64_t last, float* to) {
    const int64_t columns = from.shape[from.rank - 1];
    for (int64_t r = first; r < last; ++r)
        widen(row_bytes_of(from, r), from.dtype, columns, to + r * columns);
}

}  // namespace

Products products_for(DType dtype) {
    if (dtype == DType::f32) return Products::native;
    if (dtype == DType::f16) return Products::widened;
    switch (dnnl::get_effective_cpu_isa()) {
        case dnnl::cpu_isa::avx512_core:
        case dnnl::cpu_isa::avx512_core_vnni:
        case dnnl::cpu_isa::avx512_core_bf16:
        case dnnl::cpu_isa::avx512_core_amx:
            return Products::native;
        default:
            return Products::widened;
    }
}

struct OneDnn::Impl {
    struct Thread {
        dnnl::stream stream;
        std::vector<std::byte> scratchpad;
        std::vector<float> weight, bias, result;  // of one panel, for widened products
        Status status;
    };

    explicit Impl(CpuStream& cpu) : stream(cpu), pool(cpu.pool()) {
        for (int i = 0; i < pool.threads(); ++i)
            threads.push_back({dnnl::stream(engine), {}, {}, {}, {}, {}});
    }

    const Kernel& linear_kernel(const LinearShape& shape) {
        const auto found = linears.find(shape);
        if (found != linears.end()) return found->second;
        return linears.emplace(shape, make_linear(shape, engine)).first->second;
    }

    void execute(Thread& own, const Kernel& kernel, void* a, void* b, void* bias, void* c);
    void linear_panel(Thread& own, const LinearShape& shape, const Kernel& kernel, const Tensor& x,
                      const Tensor& weight, const Tensor& bias, const Tensor& y, int64_t first);
    void widened_panel(Thread& own, const Kernel& kernel, const Tensor& weight, const Tensor& bias,
                       const Tensor& y, DType rounds_to, int64_t first, int64_t n);

    CpuStream& stream;
    ThreadPool& pool;
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    std::vector<Thread> threads;
    std::map<LinearShape, Kernel> linears;
    std::map<std::pair<DType, bool>, Kernel> multiplies;  // by dtype and whether b is transposed
    std::vector<float> wide_x;
};

OneDnn::OneDnn(Stream& stream) : impl_(std::make_unique<Impl>(cpu_stream(stream))) {}
OneDnn::~OneDnn() = default;

void OneDnn::Impl::execute(Thread& own, const Kernel& kernel, void* a, void* b, void* bias,
                           void* c) {
    auto* scratch =
        with_room(own.scratchpad, static_cast<int64_t>(kernel.scratchpad.get_size()) + 64);
    auto aligned = reinterpret_cast<uintptr_t>(scratch);
    aligned = (aligned + 63) / 64 * 64;
    std::unordered_map<int, dnnl::memory> arguments{
        {DNNL_ARG_SRC, {kernel.a, engine, a}},
        {DNNL_ARG_WEIGHTS, {kernel.b, engine, b}},
        {DNNL_ARG_DST, {kernel.c, engine, c}},
        {DNNL_ARG_SCRATCHPAD, {kernel.scratchpad, engine, reinterpret_cast<void*>(aligned)}}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, dnnl::memory(kernel.bias, engine, bias));
    kernel.primitive.execute(own.stream, arguments);
}

void OneDnn::Impl::linear_panel(Thread& own, const LinearShape& shape, const Kernel& kernel,
                                const Tensor& x, const Tensor& weight, const Tensor& bias,
                                const Tensor& y, int64_t first) {
    auto* out = y.as<char>() + dtype_bytes(y.dtype, first);
    void* shift = bias.defined() ? bias.as<char>() + dtype_bytes(bias.dtype, first) : nullptr;
    execute(own, kernel, x.data, row_bytes_of(weight, first), shift, out);
    if (x.dtype == y.dtype) return;
    for (int64_t t = 0; t < shape.m; ++t)
        round_in_place(row_of<float>(y, t) + first, shape.n, x.dtype);
}

void OneDnn::Impl::widened_panel(Thread& own, const Kernel& kernel, const Tensor& weight,
                                 const Tensor& bias, const Tensor& y, DType rounds_to,
                                 int64_t first, int64_t n) {
    const int64_t rows = y.shape[0];
    float* wide = with_room(own.weight, n * weight.shape[1]);
    widen_rows(weight.rows(first, n), 0, n, wide);
    float* shift = nullptr;
    if (bias.defined()) {
        shift = with_room(own.bias, n);
        widen(bias.as<char>() + dtype_bytes(bias.dtype, first), bias.dtype, n, shift);
    }
    float* result = with_room(own.result, rows * n);
    execute(own, kernel, wide_x.data(), wide, shift, result);
    for (int64_t t = 0; t < rows; ++t) {
        float* row = result + t * n;
        round_in_place(row, n, rounds_to);
        narrow(row, n, y.dtype, y.as<char>() + dtype_bytes(y.dtype, t * y.stride[0] + first));
    }
}

namespace {

// The shape of a whole panel; a widened one is f32 and without gaps.
LinearShape panel_shape(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y,
                        bool widens) {
    const int64_t n = std::min(panel_size(weight.shape[0]), weight.shape[0]);
    if (widens) {
        return {DType::f32, DType::f32, bias.defined(), x.shape[0], x.shape[1],
                n,          x.shape[1], x.shape[1],     n};
    }
    return {x.dtype, y.dtype,     bias.defined(),   x.shape[0], x.shape[1],
            n,       x.stride[0], weight.stride[0], y.stride[0]};
}

// The last panel's, where it is narrower.
LinearShape rest_shape(LinearShape shape, int64_t columns, bool widens) {
    if (columns % shape.n) shape.n = columns % shape.n;
    if (widens) shape.y_stride = shape.n;
    return shape;
}

}  // namespace

Status OneDnn::linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y,
                      Products products) {
    const bool widens = products == Products::widened && x.dtype != DType::f32;
    const int64_t columns = weight.shape[0];
    const LinearShape shape = panel_shape(x, weight, bias, y, widens);
    const LinearShape rest = rest_shape(shape, columns, widens);
    const int64_t panel = shape.n;

    Impl& impl = *impl_;
    omp_set_num_threads(1);
    if (impl.linears.size() > most_primitives) impl.linears.clear();
    const Kernel* kernel = nullptr;
    const Kernel* rest_kernel = nullptr;
    LOCKSTEP_TRY(guarded([&] {
        kernel = &impl.linear_kernel(shape);
        rest_kernel = &impl.linear_kernel(rest);
        if (widens) widen_rows(x, 0, shape.m, with_room(impl.wide_x, shape.m * shape.k));
    }));

    const auto run_panel = [&](Impl::Thread& own, int64_t first) {
        const bool whole = first + panel <= columns;
        const LinearShape& part = whole ? shape : rest;
        const Kernel& with = whole ? *kernel : *rest_kernel;
        if (widens) return impl.widened_panel(own, with, weight, bias, y, x.dtype, first, part.n);
        impl.linear_panel(own, part, with, x, weight, bias, y, first);
    };
    const int64_t panels = (columns + panel - 1) / panel;
    impl.pool.parallel_for(panels, 1, [&](int64_t begin, int64_t end, int thread) {
        omp_set_num_threads(1);
        Impl::Thread& own = impl.threads[static_cast<size_t>(thread)];
        own.status = guarded([&] {
            for (int64_t i = begin; i < end && !impl.stream.stopped(); ++i)
                run_panel(own, i * panel);
        });
    });
    for (Impl::Thread& own : impl.threads) LOCKSTEP_TRY(std::exchange(own.status, Status()));
    return {};
}

Status OneDnn::prepare_multiply(DType dtype, bool b_transposed) {
    const std::pair key(dtype, b_transposed);
    if (impl_->multiplies.contains(key)) return {};
    omp_set_num_threads(1);
    return guarded(
        [&] { impl_->multiplies.emplace(key, make_multiply(dtype, b_transposed, impl_->engine)); });
}

Status OneDnn::multiply(int thread, DType dtype, int64_t m, int64_t k, int64_t n, const Matrix& a,
                        const Matrix& b, const Matrix& c) {
    const Kernel& prepared = impl_->multiplies.at({dtype, b.transposed});
    omp_set_num_threads(1);
    return guarded([&] {
        Kernel kernel = prepared;
        kernel.a = matrix_desc(dtype, m, k, a.stride, 1);
        kernel.b = b.transposed ? matrix_desc(dtype, k, n, 1, b.stride)
                                : matrix_desc(dtype, k, n, b.stride, 1);
        kernel.c = matrix_desc(DType::f32, m, n, c.stride, 1);
        impl_->execute(impl_->threads[static_cast<size_t>(thread)], kernel, a.data, b.data, nullptr,
                       c.data);
    });
}

}  // namespace lockstep
