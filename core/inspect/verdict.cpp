// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/verdict.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

using Stop = const std::atomic<bool>*;

bool stopped(Stop stop) {
    return stop && stop->load(std::memory_order_relaxed);
}

// Stopped, it has less than all: whoever reads it looks at stop first.
std::vector<float> values_of(const Tensor& tensor, Stop stop) {
    // It grows row by row: fresh pages cost more than what is written to them, and are not to be
    // touched all at once.
    std::vector<float> values;
    const int64_t count = tensor.numel();
    values.reserve(static_cast<size_t>(count));
    const int64_t columns = count == 0 ? 0 : tensor.shape[tensor.rank - 1];
    for (int64_t first = 0; first < count && !stopped(stop); first += columns) {
        int64_t offset = 0;
        int64_t index = first / columns;
        for (int d = tensor.rank - 2; d >= 0; --d) {
            offset += index % tensor.shape[d] * tensor.stride[d];
            index /= tensor.shape[d];
        }
        const char* row = tensor.as<char>() + dtype_bytes(tensor.dtype, offset);
        values.resize(static_cast<size_t>(first + columns));
        widen(row, tensor.dtype, columns, values.data() + first);
    }
    return values;
}

// Both finite, or the same infinity, or both NaN.
bool same_kind(float a, float b) {
    if (std::isfinite(a) || std::isfinite(b)) return std::isfinite(a) && std::isfinite(b);
    return std::isnan(a) == std::isnan(b) && (std::isnan(a) || a == b);
}

constexpr int64_t look_at_stop_every = 1 << 16;  // elements: about a millisecond

ErrorFigures figures(const std::vector<float>& candidate, const std::vector<float>& expected,
                     DType dtype, Stop stop) {
    ErrorFigures result;
    double squares = 0, dot = 0, norm_a = 0, norm_b = 0;
    int64_t within = 0, finite = 0;
    const auto count = static_cast<int64_t>(candidate.size());
    for (int64_t i = 0; i < count; ++i) {
        if (i % look_at_stop_every == 0 && stopped(stop)) break;
        const float a = candidate[i];
        const float b = expected[i];
        if (!same_kind(a, b)) {
            if (!result.non_finite) result.worst_index = i;
            result.non_finite = true;
            continue;
        }
        if (!std::isfinite(b)) {
            ++within;
            continue;
        }
        const double error = std::abs(static_cast<double>(a) - b);
        if (error > result.max_abs && !result.non_finite) result.worst_index = i;
        result.max_abs = std::max(result.max_abs, error);
        if (b != 0) result.max_rel = std::max(result.max_rel, error / std::abs(b));
        result.max_ulp = std::max(result.max_ulp, error / ulp(b, dtype));
        within += error <= 1e-3 + 1e-3 * std::abs(b);
        squares += error * error;
        dot += static_cast<double>(a) * b;
        norm_a += static_cast<double>(a) * a;
        norm_b += static_cast<double>(b) * b;
        ++finite;
    }
    if (finite > 0) result.rms = std::sqrt(squares / static_cast<double>(finite));
    if (norm_a > 0 && norm_b > 0) {
        result.cosine = dot / std::sqrt(norm_a * norm_b);
    } else {
        result.cosine = norm_a == norm_b ? 1 : 0;
    }
    if (count > 0) result.within_1e3 = static_cast<double>(within) / static_cast<double>(count);
    return result;
}

// Sums over the elements of one part that are finite everywhere.
struct Part {
    int64_t count = 0;
    double max_candidate = 0, max_reference = 0, max_truth = 0;
    double candidate = 0, reference = 0, truth = 0;  // squares
    double reference_fourths = 0;

    void add(float c, float r, float t) {
        if (!std::isfinite(c) || !std::isfinite(t)) return;
        // Where the reference overflowed it says nothing about the noise.
        const double e_ref = std::isfinite(r) ? std::abs(static_cast<double>(r) - t) : 0;
        const double e_cand = std::abs(static_cast<double>(c) - t);
        ++count;
        max_candidate = std::max(max_candidate, e_cand);
        max_reference = std::max(max_reference, e_ref);
        max_truth = std::max<double>(max_truth, std::abs(t));
        candidate += e_cand * e_cand;
        reference += e_ref * e_ref;
        reference_fourths += e_ref * e_ref * e_ref * e_ref;
        truth += static_cast<double>(t) * t;
    }
    // The noisier sample of the same elements' noise counts.
    void take_noise(const Part& other) {
        max_reference = std::max(max_reference, other.max_reference);
        if (reference >= other.reference) return;
        reference = other.reference;
        reference_fourths = other.reference_fourths;
    }
    // Three sigmas of the logarithm of two RMS's ratio: the variance of one is (kurtosis - 1) / 4n.
    // Of normal errors, kurtosis 3, it is 3 / sqrt(n); where few elements have most of the error, n
    // tells little of how many samples there are. Never less than a normal's.
    double scatter() const {
        const auto n = static_cast<double>(count);
        const double kurtosis = reference > 0 ? n * reference_fourths / (reference * reference) : 3;
        return 3 * std::sqrt((std::max(kurtosis, 3.0) - 1) / (2 * n));
    }
    double rms(double squares) const {
        return count ? std::sqrt(squares / static_cast<double>(count)) : 0;
    }
};

std::string text(const char* format, double a, double b, double c) {
    char buffer[200];
    std::snprintf(buffer, sizeof buffer, format, a, b, c);
    return buffer;
}

// Errors of the reference, per unit of truth's RMS: the least that a part counts as its noise.
struct Noise {
    double rms = 0;
    double max = 0;
};

// Parts of fewer elements tell more of chance than of a fault; the whole is judged all the same.
constexpr int64_t few = 16;

// Why a part of so many rows has diverged; nothing where it has not.
std::optional<std::string> divergence(const Part& part, int64_t rows, const Noise& noise,
                                      DType dtype) {
    const double roundoff = unit_roundoff(dtype);
    const double magnitude = part.rms(part.truth);
    const double max_floor = std::max(part.max_reference, noise.max * magnitude);
    const double two_roundings = 2 * roundoff * part.max_truth;
    if (part.max_candidate > 2 * max_floor + two_roundings) {
        return text(
            "its largest error %.3g is over 2 x %.3g, the reference's, + %.3g, two roundings",
            part.max_candidate, max_floor, two_roundings);
    }
    const double rms = part.rms(part.candidate);
    const double rms_floor = std::max(part.rms(part.reference), noise.rms * magnitude);
    const double ratio = 1.5 * std::exp(part.scatter());
    const double roundings = roundoff * magnitude * (1 + 1 / std::sqrt(static_cast<double>(rows)));
    if (part.count >= few && rms > roundings && rms > ratio * rms_floor)
        return text("its RMS error %.3g is over %.3g x %.3g, the reference's", rms, ratio,
                    rms_floor);
    return std::nullopt;
}

struct Layout {
    int64_t rows = 1, columns = 1, heads = 1;  // columns: of all heads together
    explicit Layout(const Tensor& tensor) {
        if (tensor.rank == 0 || tensor.numel() == 0) return;
        rows = tensor.rank > 1 ? tensor.shape[0] : 1;
        columns = tensor.numel() / rows;
        heads = tensor.rank == 3 ? tensor.shape[1] : 1;
    }
    int64_t first_tail_column() const {
        const int64_t rest = columns % verdict_tile;
        return columns - (rest ? rest : std::min(columns, verdict_tile));
    }
};

struct Values {
    std::vector<float> candidate, truth;
    std::vector<std::vector<float>> references;
    Stop stop = nullptr;
};

struct Range {
    int64_t first = 0, last = 0;
};

Part gather(const Values& values, const std::vector<float>& reference, const Layout& layout,
            Range rows, Range columns) {
    Part part;
    for (int64_t r = rows.first; r < rows.last && !stopped(values.stop); ++r) {
        for (int64_t c = columns.first; c < columns.last; ++c) {
            const auto i = static_cast<size_t>(r * layout.columns + c);
            part.add(values.candidate[i], reference[i], values.truth[i]);
        }
    }
    return part;
}

Part gather(const Values& values, const Layout& layout, Range rows, Range columns) {
    Part part = gather(values, values.references.front(), layout, rows, columns);
    for (size_t i = 1; i < values.references.size(); ++i)
        part.take_noise(gather(values, values.references[i], layout, rows, columns));
    return part;
}

void condemn(Verdict& verdict, std::string part, std::string reason) {
    verdict.diverged = true;
    verdict.part = std::move(part);
    verdict.reason = std::move(reason);
}

// The whole's noise; for rows, that of the noisiest of them, rows of next to nothing left out.
Noise noise_of(const Part& whole, const std::vector<Part>& rows) {
    Noise noise;
    if (whole.truth <= 0) return noise;
    noise.rms = std::sqrt(whole.reference / whole.truth);
    noise.max = whole.max_reference / whole.rms(whole.truth);
    for (const Part& row : rows) {
        if (row.rms(row.truth) > 0.1 * whole.rms(whole.truth))
            noise.rms = std::max(noise.rms, std::sqrt(row.reference / row.truth));
    }
    return noise;
}

void judge_parts(const Values& values, const Layout& layout, DType dtype, Verdict& verdict) {
    const Range all_rows{0, layout.rows}, all_columns{0, layout.columns};
    const Part whole = gather(values, layout, all_rows, all_columns);
    const Noise noise = noise_of(whole, {});
    const auto breaks = [&](const Part& part, const std::string& name) {
        const auto reason = divergence(part, layout.rows, noise, dtype);
        if (reason) condemn(verdict, name, *reason);
        return reason.has_value();
    };
    if (breaks(whole, "whole")) return;

    std::vector<Part> rows;
    for (int64_t row = 0; row < layout.rows; ++row)
        rows.push_back(gather(values, layout, {row, row + 1}, all_columns));
    const Noise row_noise = noise_of(whole, rows);
    for (size_t row = 0; row < rows.size() && rows.size() > 1; ++row) {
        if (rows[row].count < few) continue;
        const auto reason = divergence(rows[row], 1, row_noise, dtype);
        if (reason) return condemn(verdict, "row " + std::to_string(row), *reason);
    }

    const int64_t width = layout.columns / layout.heads;
    for (int64_t head = 0; head < layout.heads && layout.heads > 1; ++head) {
        const Part part = gather(values, layout, all_rows, {head * width, (head + 1) * width});
        if (part.count >= few && breaks(part, "head " + std::to_string(head))) return;
    }
    const Part tail =
        gather(values, layout, all_rows, {layout.first_tail_column(), layout.columns});
    if (tail.count >= few) breaks(tail, "last columns");
}

bool same_shape(const Tensor& a, const Tensor& b) {
    return a.rank == b.rank && a.shape == b.shape && a.defined() && b.defined();
}

}  // namespace

double unit_roundoff(DType dtype) {
    switch (dtype) {
        case DType::bf16:
            return 0x1p-8;
        case DType::f16:
            return 0x1p-11;
        default:
            return 0x1p-24;
    }
}

double ulp(float value, DType dtype) {
    constexpr uint32_t exponent_bits = 0x7f800000u;
    const float smallest = dtype == DType::f16 ? 0x1p-14f : 0x1p-126f;
    const auto power = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & exponent_bits);
    return 2 * unit_roundoff(dtype) * std::max(power, smallest);
}

ErrorFigures compare_tensors(const Tensor& candidate, const Tensor& expected,
                             const std::atomic<bool>* stop) {
    if (!same_shape(candidate, expected)) {
        ErrorFigures figure;
        figure.non_finite = true;
        figure.cosine = figure.within_1e3 = 0;
        figure.max_abs = figure.max_rel = figure.rms = figure.max_ulp =
            std::numeric_limits<double>::infinity();
        return figure;
    }
    return figures(values_of(candidate, stop), values_of(expected, stop), candidate.dtype, stop);
}

Verdict judge(const Tensor& candidate, const Tensor& reference, const Tensor& truth, DType dtype,
              const std::atomic<bool>* stop) {
    return judge(candidate, std::span<const Tensor>(&reference, 1), truth, dtype, stop);
}

Verdict judge(const Tensor& candidate, std::span<const Tensor> references, const Tensor& truth,
              DType dtype, const std::atomic<bool>* stop) {
    Verdict verdict;
    const Tensor& reference = references.front();
    const bool comparable =
        std::all_of(references.begin(), references.end(),
                    [&](const Tensor& sample) { return same_shape(sample, truth); });
    if (!same_shape(candidate, truth) || !comparable) {
        condemn(verdict, "whole",
                "its shape is not truth's: " + candidate.description() + ", reference " +
                    reference.description() + ", truth " + truth.description());
        return verdict;
    }
    Values values{values_of(candidate, stop), values_of(truth, stop), {}, stop};
    for (const Tensor& sample : references) values.references.push_back(values_of(sample, stop));
    verdict.candidate = figures(values.candidate, values.truth, dtype, stop);
    verdict.reference = figures(values.references.front(), values.truth, dtype, stop);
    const Layout layout(truth);
    if (verdict.candidate.non_finite) {
        const int64_t at = verdict.candidate.worst_index;
        const float value = values.candidate[static_cast<size_t>(at)];
        condemn(verdict, "row " + std::to_string(at / layout.columns),
                std::isfinite(value) ? "a finite value where truth has none"
                                     : "NaN or infinity where truth has none");
        return verdict;
    }
    judge_parts(values, layout, dtype, verdict);
    return verdict;
}

}  // namespace lockstep
