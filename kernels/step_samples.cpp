// SPDX-License-Identifier: GPL-3.0-or-later
// Arguments for a step with memory of their own: from a seed, or copied from another call's.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/cpu/rounding.h"
#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

// splitmix64, and from each of its words the sum of four 16-bit uniforms: near enough to normal.
class Noise {
  public:
    explicit Noise(uint64_t seed) : state_(seed) {}
    uint64_t word() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    float normal() {
        const uint64_t w = word();
        const auto sum =
            static_cast<float>((w & 0xffff) + (w >> 16 & 0xffff) + (w >> 32 & 0xffff) + (w >> 48));
        return (sum - 2 * 65535.0f) * (std::sqrt(3.0f) / 65536.0f);
    }

  private:
    uint64_t state_;
};

std::array<int64_t, 3> sizes_of(const std::array<Axis, 3>& axes, const StepShape& shape) {
    return {shape.size(axes[0]), shape.size(axes[1]), shape.size(axes[2])};
}

using Stop = const std::atomic<bool>*;

bool stopped(Stop stop) {
    return stop && stop->load(std::memory_order_relaxed);
}

void fill_with_poison(void* data, DType dtype, int64_t count, Stop stop) {
    constexpr int64_t look_at_stop_every = 1 << 20;  // elements: fresh pages take a millisecond
    uint32_t bits = 0;
    store_element(&bits, dtype, 0, poison);
    for (int64_t first = 0; first < count && !stopped(stop); first += look_at_stop_every) {
        const int64_t part = std::min(look_at_stop_every, count - first);
        if (dtype == DType::f32)
            std::fill_n(static_cast<uint32_t*>(data) + first, part, bits);
        else
            std::fill_n(static_cast<uint16_t*>(data) + first, part, static_cast<uint16_t>(bits));
    }
}

// A tensor with memory of its own, every element of it and of its padding NaN. Strided, rows and
// heads are slices of longer ones, by odd amounts.
Result<Tensor> make_tensor(DType dtype, const std::array<int64_t, 3>& sizes, bool strided,
                           std::vector<Buffer>& buffers, Stop stop = nullptr) {
    Tensor tensor;
    tensor.dtype = dtype;
    while (tensor.rank < 3 && sizes[tensor.rank] > 0) ++tensor.rank;
    int64_t extent = 1;
    for (int d = tensor.rank - 1; d >= 0; --d) {
        tensor.shape[d] = sizes[d];
        tensor.stride[d] = extent;
        extent *= sizes[d];
        if (strided && d > 0) extent += d == tensor.rank - 1 ? 5 : 3;
    }
    LOCKSTEP_ASSIGN(Buffer buffer,
                    cpu_device().allocate(static_cast<size_t>(dtype_bytes(dtype, extent))));
    tensor.data = buffer.data();
    buffers.push_back(std::move(buffer));
    if (is_floating(dtype)) fill_with_poison(tensor.data, dtype, extent, stop);
    return tensor;
}

// value(indices) for every element of the first `rows` of dimension 0.
template <class Value>
void fill(Tensor& tensor, int64_t rows, const Value& value) {
    const int64_t middle = tensor.rank > 2 ? tensor.shape[1] : 1;
    const int64_t inner = tensor.rank > 1 ? tensor.shape[tensor.rank - 1] : 1;
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t m = 0; m < middle; ++m) {
            const int64_t base =
                r * tensor.stride[0] + (tensor.rank > 2 ? m * tensor.stride[1] : 0);
            for (int64_t i = 0; i < inner; ++i)
                store_element(tensor.data, tensor.dtype, base + i, value(r, i));
        }
    }
}

class Filler {
  public:
    Filler(const StepShape& shape, StepId step, uint64_t seed)
        : shape_(shape), step_(step), noise_(seed) {}

    void operator()(std::string_view name, Role role, Tensor& tensor) {
        switch (role) {
            case Role::weight:
                return weight(name, tensor);
            case Role::optional_weight:
                return normals(tensor, tensor.shape[0], 0.5f);
            case Role::constant:
                return constant(name, tensor);
            case Role::input:
                return activations(name, tensor);
            case Role::state:
                return normals(tensor, cached_rows(), 1);
            case Role::output:
            case Role::unfused_output:
                return;  // left poisoned
        }
    }

  private:
    // qkv appends its rows itself; attention finds them there.
    int64_t cached_rows() const {
        return shape_.first_row + (step_ == StepId::attention ? shape_.rows : 0);
    }

    void normals(Tensor& tensor, int64_t rows, float scale) {
        fill(tensor, rows, [&](int64_t, int64_t) { return scale * noise_.normal(); });
    }

    // Norms near 1, matrices such that a normed input gives outputs of about unit size.
    void weight(std::string_view name, Tensor& tensor) {
        if (tensor.rank == 1) {
            fill(tensor, tensor.shape[0],
                 [&](int64_t, int64_t) { return std::exp(0.3f * noise_.normal()); });
            return;
        }
        const float scale =
            name == "embed_tokens" ? 0.05f : 1.2f / std::sqrt(static_cast<float>(tensor.shape[1]));
        normals(tensor, tensor.shape[0], scale);
    }

    void constant(std::string_view name, Tensor& tensor) {
        if (name == "ids") {
            for (int64_t t = 0; t < tensor.shape[0]; ++t) {
                tensor.as<int32_t>()[t] =
                    static_cast<int32_t>(noise_.word() % static_cast<uint64_t>(shape_.vocab_size));
            }
            return;
        }
        const bool cosine = name == "rope_cos";
        fill(tensor, tensor.shape[0], [&](int64_t position, int64_t i) {
            const double exponent =
                -2.0 * static_cast<double>(i) / static_cast<double>(shape_.head_dim);
            const double angle = static_cast<double>(position) * std::pow(10000.0, exponent);
            return static_cast<float>(cosine ? std::cos(angle) : std::sin(angle));
        });
    }

    // Every trained transformer has a few channels that are far larger than the rest.
    void activations(std::string_view name, Tensor& tensor) {
        normals(tensor, tensor.shape[0], name == "attn" || name == "mlp" ? 0.5f : 1.0f);
        if (tensor.rank != 2) return;
        const int64_t columns = tensor.shape[1];
        for (int64_t outlier = 0; outlier < 1 + columns / 256; ++outlier) {
            const auto column =
                static_cast<int64_t>(noise_.word() % static_cast<uint64_t>(columns));
            for (int64_t t = 0; t < tensor.shape[0]; ++t) {
                const int64_t at = t * tensor.stride[0] + column;
                store_element(tensor.data, tensor.dtype, at,
                              20 * load_element(tensor.data, tensor.dtype, at));
            }
        }
    }

    const StepShape& shape_;
    StepId step_;
    Noise noise_;
};

DType dtype_for(std::string_view name, Role role, const SampleOptions& options) {
    if (name == "ids") return DType::i32;
    if (name == "logits" || role == Role::constant) return DType::f32;
    const bool weight = role == Role::weight || role == Role::optional_weight;
    return weight ? options.weight_dtype : options.activation_dtype;
}

Status set_context(StepContext& context, const StepShape& shape, std::vector<Buffer>& buffers) {
    context.layer = 0;
    context.first_row = shape.first_row;
    LOCKSTEP_ASSIGN(context.position, make_tensor(DType::i32, {1, 0, 0}, false, buffers));
    *context.position.as<int32_t>() = static_cast<int32_t>(shape.first_row);
    return {};
}

template <class Args>
Status check_sizes(const StepShape& shape) {
    for (const TensorField<Args>& field : Args::fields()) {
        for (Axis axis : field.axes) {
            if (axis == Axis::none || shape.size(axis) >= 1) continue;
            return fail(ErrorKind::invalid_argument,
                        std::string(field.name) + " would be empty at these sizes");
        }
    }
    return {};
}

template <class Args>
Status fill_args(Args& args, const StepShape& shape, const SampleOptions& options,
                 std::vector<Buffer>& buffers) {
    LOCKSTEP_TRY(check_sizes<Args>(shape));
    Filler filler(shape, Args::id, options.seed);
    for (const TensorField<Args>& field : Args::fields()) {
        if (field.role == Role::optional_weight && !shape.qkv_bias) continue;
        Tensor& tensor = args.*field.member;
        LOCKSTEP_ASSIGN(tensor, make_tensor(dtype_for(field.name, field.role, options),
                                            sizes_of(field.axes, shape), options.strided, buffers));
        filler(field.name, field.role, tensor);
    }
    if constexpr (requires { args.rms_norm_eps; }) args.rms_norm_eps = 1e-5f;
    if constexpr (requires { args.scale; })
        args.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    return set_context(args.context, shape, buffers);
}

StepArgs empty_args(StepId step) {
    switch (step) {
        case StepId::embed:
            return EmbedArgs{};
        case StepId::qkv:
            return QkvArgs{};
        case StepId::attention:
            return AttentionArgs{};
        case StepId::attn_output:
            return AttnOutputArgs{};
        case StepId::gate_up:
            return GateUpArgs{};
        case StepId::down:
            return DownArgs{};
        case StepId::logits:
            return LogitsArgs{};
    }
    return EmbedArgs{};
}

Result<Tensor> converted_copy(const Tensor& from, DType dtype, std::vector<Buffer>& buffers,
                              Stop stop) {
    LOCKSTEP_ASSIGN(Tensor to, make_tensor(dtype, {from.shape[0], from.shape[1], from.shape[2]},
                                           false, buffers, stop));
    const int64_t columns = from.shape[from.rank - 1];
    std::vector<float> row(static_cast<size_t>(columns));
    for (int64_t first = 0; first < from.numel() && !stopped(stop); first += columns) {
        int64_t offset = 0, index = first / columns;
        for (int d = from.rank - 2; d >= 0; --d) {
            offset += index % from.shape[d] * from.stride[d];
            index /= from.shape[d];
        }
        widen(from.as<const char>() + dtype_bytes(from.dtype, offset), from.dtype, columns,
              row.data());
        narrow(row.data(), columns, dtype, to.as<char>() + dtype_bytes(dtype, first));
    }
    return to;
}

// The sizes that a call's tensors have, so that one it lacks can be made.
template <class Args>
std::array<int64_t, 3> sizes_within(const Args& args, const std::array<Axis, 3>& wanted) {
    std::array<int64_t, 3> sizes{};
    for (const TensorField<Args>& field : Args::fields()) {
        const Tensor& tensor = args.*field.member;
        for (int d = 0; d < tensor.rank; ++d) {
            for (size_t i = 0; i < wanted.size(); ++i) {
                if (wanted[i] != Axis::none && wanted[i] == field.axes[d])
                    sizes[i] = tensor.shape[d];
            }
        }
    }
    return sizes;
}

template <class Args>
Status clone_into(const Args& from, DType dtype, Args& to, std::vector<Buffer>& buffers,
                  Stop stop) {
    for (const TensorField<Args>& field : Args::fields()) {
        Tensor& tensor = to.*field.member;
        const bool made = field.role == Role::output || field.role == Role::unfused_output;
        if (made) {
            const DType stored = field.name == "logits" ? DType::f32 : dtype;
            LOCKSTEP_ASSIGN(
                tensor, make_tensor(stored, sizes_within(from, field.axes), false, buffers, stop));
        } else if (field.role == Role::input || field.role == Role::state) {
            LOCKSTEP_ASSIGN(tensor, converted_copy(from.*field.member, dtype, buffers, stop));
        }
    }
    return {};
}

}  // namespace

Result<SampleStep> make_sample_step(StepId step, const StepShape& shape,
                                    const SampleOptions& options) {
    StepShape sizes = shape;
    if (sizes.context == 0) sizes.context = sizes.first_row + sizes.rows;
    SampleStep sample{empty_args(step), {}};
    LOCKSTEP_TRY(std::visit(
        [&](auto& args) { return fill_args(args, sizes, options, sample.buffers); }, sample.args));
    LOCKSTEP_TRY(check_step(sample.args));
    return sample;
}

Result<SampleStep> clone_step(const StepArgs& args, DType activation_dtype, Stop stop) {
    SampleStep clone{args, {}};
    LOCKSTEP_TRY(std::visit(
        [&]<class Args>(Args& to) {
            return clone_into(std::get<Args>(args), activation_dtype, to, clone.buffers, stop);
        },
        clone.args));
    return clone;
}

}  // namespace lockstep
