// SPDX-License-Identifier: GPL-3.0-or-later
// What no kernel should see, refused with the operand and the rule that it breaks.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

constexpr std::array<std::string_view, 13> axis_names{"none", "T", "H",   "A",   "G",   "D", "I",
                                                      "V",    "C", "A*D", "G*D", "D/2", "1"};

std::string quoted(const NamedTensor& named) {
    return std::string(named.name) + " " + named.tensor.description();
}

struct Operand : NamedTensor {
    std::array<Axis, 3> axes{};
};

std::vector<Operand> operands(const StepArgs& args) {
    std::vector<Operand> all;
    std::visit(
        [&](const auto& a) {
            for (const auto& field : a.fields())
                all.push_back({{field.name, field.role, a.*field.member}, field.axes});
        },
        args);
    return all;
}

// No two of its elements may share memory: sorted by stride, each dimension steps over the one
// inside it.
bool strides_overlap(const Tensor& tensor) {
    std::vector<std::pair<int64_t, int64_t>> dims;  // stride, size
    for (int d = 0; d < tensor.rank; ++d) {
        if (tensor.shape[d] > 1) dims.emplace_back(tensor.stride[d], tensor.shape[d]);
    }
    std::sort(dims.begin(), dims.end());
    int64_t extent = 1;
    for (const auto& [stride, size] : dims) {
        if (stride < extent) return true;
        extent = (size - 1) * stride + extent;
    }
    return false;
}

Status check_layout(const Operand& operand) {
    const Tensor& tensor = operand.tensor;
    const auto rank = static_cast<int>(
        std::find(operand.axes.begin(), operand.axes.end(), Axis::none) - operand.axes.begin());
    if (tensor.rank != rank) {
        return fail(ErrorKind::invalid_argument,
                    quoted(operand) + " must have " + std::to_string(rank) + " dimensions");
    }
    for (int d = 0; d < rank; ++d) {
        if (tensor.shape[d] < 1)
            return fail(ErrorKind::invalid_argument, quoted(operand) + " is empty");
    }
    if (!tensor.dense_rows()) {
        return fail(ErrorKind::invalid_argument,
                    quoted(operand) + ": the last dimension must be dense (stride 1)");
    }
    if (strides_overlap(tensor)) {
        return fail(ErrorKind::invalid_argument,
                    quoted(operand) + ": its strides make elements overlap");
    }
    return {};
}

bool is_activation(Role role) {
    return role == Role::input || role == Role::output || role == Role::state ||
           role == Role::unfused_output;
}

Status check_dtype(const Operand& operand, std::optional<DType>& activations) {
    const DType dtype = operand.tensor.dtype;
    const auto must_be = [&](std::string_view what) {
        return fail(ErrorKind::unsupported, quoted(operand) + " must be " + std::string(what));
    };
    if (operand.role == Role::constant) {
        const DType wanted = operand.name == "ids" ? DType::i32 : DType::f32;
        if (dtype != wanted) return must_be(dtype_info(wanted).name);
        return {};
    }
    if (operand.name == "logits") {  // stored wider than it is computed
        if (dtype != DType::f32) return must_be("f32");
        return {};
    }
    if (!is_floating(dtype)) return must_be("f32, f16 or bf16");
    if (!is_activation(operand.role)) return {};
    if (activations && *activations != dtype) {
        return must_be(std::string(dtype_info(*activations).name) +
                       ", as the step's other activations");
    }
    activations = dtype;
    return {};
}

// The size of each axis, bound by the first operand that has it.
class Axes {
  public:
    Status bind(const Operand& operand) {
        for (int d = 0; d < operand.tensor.rank; ++d) {
            Bound& bound = bounds_[static_cast<size_t>(operand.axes[d])];
            const int64_t size = operand.tensor.shape[d];
            if (bound.size == 0) bound = {size, std::string(operand.name)};
            if (bound.size == size) continue;
            return fail(ErrorKind::invalid_argument,
                        quoted(operand) + ": " + name(operand.axes[d]) + " is " +
                            std::to_string(size) + ", but " + std::to_string(bound.size) + " in " +
                            bound.operand);
        }
        return {};
    }

    Status check_products() const {
        LOCKSTEP_TRY(equal(Axis::A_D, size(Axis::A) * size(Axis::D)));
        LOCKSTEP_TRY(equal(Axis::G_D, size(Axis::G) * size(Axis::D)));
        if (size(Axis::half_D) && size(Axis::half_D) * 2 != size(Axis::D)) {
            return fail(ErrorKind::invalid_argument,
                        "rope_cos holds " + std::to_string(size(Axis::half_D)) +
                            " angles, but D is " + std::to_string(size(Axis::D)));
        }
        if (size(Axis::A) && size(Axis::G) && size(Axis::A) % size(Axis::G) != 0) {
            return fail(ErrorKind::invalid_argument, "A is " + std::to_string(size(Axis::A)) +
                                                         ", not a multiple of G, which is " +
                                                         std::to_string(size(Axis::G)));
        }
        return {};
    }

    int64_t size(Axis axis) const { return bounds_[static_cast<size_t>(axis)].size; }

  private:
    struct Bound {
        int64_t size = 0;
        std::string operand;
    };

    static std::string name(Axis axis) {
        return std::string(axis_names[static_cast<size_t>(axis)]);
    }

    Status equal(Axis axis, int64_t product) const {
        if (product == 0 || size(axis) == 0 || size(axis) == product) return {};
        return fail(ErrorKind::invalid_argument,
                    name(axis) + " is " + std::to_string(size(axis)) + " in " +
                        bounds_[static_cast<size_t>(axis)].operand + ", but its heads make " +
                        std::to_string(product));
    }

    std::array<Bound, axis_names.size()> bounds_;
};

// The bytes from a tensor's first element to the end of its last.
struct Extent {
    uintptr_t first = 0;
    uintptr_t last = 0;
    int64_t pitch = 0;  // bytes between rows
    int64_t row = 0;    // bytes from a row's first element to the end of its last
};

Extent extent_of(const Tensor& tensor) {
    int64_t row_elements = 1;
    for (int d = 1; d < tensor.rank; ++d) row_elements += (tensor.shape[d] - 1) * tensor.stride[d];
    if (tensor.rank == 1) row_elements = tensor.shape[0];
    const int64_t rows = tensor.rank == 1 ? 1 : tensor.shape[0];
    Extent extent;
    extent.first = reinterpret_cast<uintptr_t>(tensor.data);
    extent.pitch = tensor.rank == 1 ? 0 : dtype_bytes(tensor.dtype, tensor.stride[0]);
    extent.row = dtype_bytes(tensor.dtype, row_elements);
    extent.last = extent.first + static_cast<uintptr_t>((rows - 1) * extent.pitch + extent.row);
    return extent;
}

// Two tensors may interleave row by row in one buffer (k and v of a fused cache) without sharing
// an element.
bool overlaps(const Tensor& a, const Tensor& b) {
    const Extent x = extent_of(a);
    const Extent y = extent_of(b);
    if (x.last <= y.first || y.last <= x.first) return false;
    if (x.pitch != y.pitch || x.pitch < std::max(x.row, y.row)) return true;
    const auto distance = static_cast<int64_t>(y.first - x.first);
    const int64_t shift = (distance % x.pitch + x.pitch) % x.pitch;
    return shift < x.row || shift + y.row > x.pitch;
}

bool is_written(const Operand& operand, StepId step) {
    if (operand.role == Role::state) return step == StepId::qkv;
    return operand.role == Role::output || operand.role == Role::unfused_output;
}

Status check_aliases(const std::vector<Operand>& all, StepId step) {
    for (const Operand& out : all) {
        if (!out.tensor.defined() || !is_written(out, step)) continue;
        for (const Operand& other : all) {
            if (&other == &out || !other.tensor.defined()) continue;
            if (!overlaps(out.tensor, other.tensor)) continue;
            return fail(ErrorKind::invalid_argument,
                        quoted(out) + " overlaps " + quoted(other) + " in memory");
        }
    }
    return {};
}

Status check_position(const StepContext& context, const Axes& axes) {
    if (context.first_row < 0) {
        return fail(ErrorKind::invalid_argument,
                    "position " + std::to_string(context.first_row) + " is negative");
    }
    const int64_t context_rows = axes.size(Axis::C);
    if (context_rows == 0) return {};  // a step without a cache
    if (!context.position.defined() || context.position.dtype != DType::i32 ||
        context.position.numel() != 1) {
        return fail(ErrorKind::invalid_argument, "position must be an i32 [1] in device memory");
    }
    if (context.first_row > context_rows - axes.size(Axis::T)) {
        return fail(ErrorKind::invalid_argument,
                    "rows [" + std::to_string(context.first_row) + ", " +
                        std::to_string(context.first_row + axes.size(Axis::T)) +
                        ") are outside the cache of " + std::to_string(context_rows));
    }
    return {};
}

Status check_numbers(const StepArgs& args) {
    return std::visit(
        [](const auto& a) -> Status {
            if constexpr (requires { a.rms_norm_eps; }) {
                // Written so that a NaN is refused, too.
                if (!(a.rms_norm_eps >= 0 && a.rms_norm_eps < 1))
                    return fail(ErrorKind::invalid_argument, "rms_norm_eps is not in [0, 1)");
            }
            if constexpr (requires { a.scale; }) {
                if (!(a.scale > 0 && a.scale <= std::numeric_limits<float>::max()))
                    return fail(ErrorKind::invalid_argument, "scale is not a positive number");
            }
            return {};
        },
        args);
}

Status check_operands(const std::vector<Operand>& all, Axes& axes) {
    std::optional<DType> activations;
    for (const Operand& operand : all) {
        const bool optional =
            operand.role == Role::optional_weight || operand.role == Role::unfused_output;
        if (!operand.tensor.defined() && optional) continue;
        if (!operand.tensor.defined()) {
            return fail(ErrorKind::invalid_argument, std::string(operand.name) + " is undefined");
        }
        LOCKSTEP_TRY(check_layout(operand));
        LOCKSTEP_TRY(check_dtype(operand, activations));
        LOCKSTEP_TRY(axes.bind(operand));
    }
    return axes.check_products();
}

}  // namespace

Status check_step(const StepArgs& args) {
    const std::vector<Operand> all = operands(args);
    Axes axes;
    LOCKSTEP_TRY(check_operands(all, axes));
    LOCKSTEP_TRY(check_position(step_context(args), axes));
    LOCKSTEP_TRY(check_numbers(args));
    return check_aliases(all, step_id(args));
}

}  // namespace lockstep
