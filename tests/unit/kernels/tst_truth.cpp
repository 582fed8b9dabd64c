// SPDX-License-Identifier: GPL-3.0-or-later
// Truth against each step's formula, written out once more in double and in the plainest way: loops
// over logical indices, no strides, no blocks, no shared helper.
#include <QTest>
#include <cmath>
#include <functional>

#include "kernels/step_catalog.h"

using namespace lockstep;

namespace {

// A tensor's values by logical index.
struct Values {
    Tensor tensor;
    double operator()(int64_t i) const { return element(tensor, i); }
    double operator()(int64_t r, int64_t c) const {
        return element(tensor, r * tensor.shape[1] + c);
    }
    double operator()(int64_t r, int64_t h, int64_t c) const {
        return element(tensor, (r * tensor.shape[1] + h) * tensor.shape[2] + c);
    }
};

StepShape small_shape(int64_t rows, int64_t first_row) {
    StepShape shape;
    shape.rows = rows;
    shape.first_row = first_row;
    shape.hidden_size = 10;
    shape.num_attention_heads = 6;
    shape.num_key_value_heads = 2;
    shape.head_dim = 4;
    shape.intermediate_size = 7;
    shape.vocab_size = 11;
    shape.qkv_bias = true;
    return shape;
}

using Expected = std::function<double(int64_t row, int64_t column)>;

double dot(const Expected& x, const Tensor& weight, int64_t row, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < weight.shape[1]; ++i) sum += x(row, i) * Values{weight}(n, i);
    return sum;
}

Expected norm_of(const Tensor& x, const Tensor& weight, double eps) {
    return [=](int64_t row, int64_t i) {
        double squares = 0;
        for (int64_t c = 0; c < x.shape[1]; ++c) squares += std::pow(Values{x}(row, c), 2);
        const double mean = squares / static_cast<double>(x.shape[1]);
        return Values{x}(row, i) / std::sqrt(mean + eps) * Values{weight}(i);
    };
}

Expected projection(const Expected& normed, const Tensor& weight, const Tensor& bias) {
    return [=](int64_t row, int64_t n) { return dot(normed, weight, row, n) + Values{bias}(n); };
}

// x cos + rotate_half(x) sin, head by head.
Expected rotated(const Expected& x, const QkvArgs& args) {
    return [=](int64_t row, int64_t n) {
        const int64_t size = args.q.shape[2];
        const int64_t half = size / 2;
        const int64_t i = n % size;
        const int64_t position = args.context.first_row + row;
        const double cosine = Values{args.rope_cos}(position, i % half);
        const double sine = Values{args.rope_sin}(position, i % half);
        const double other = i < half ? -x(row, n + half) : x(row, n - half);
        return x(row, n) * cosine + other * sine;
    };
}

Expected attention_of(const AttentionArgs& args) {
    return [=](int64_t row, int64_t n) {
        const int64_t size = args.q.shape[2];
        const int64_t head = n / size;
        const int64_t group = head * args.k_cache.shape[1] / args.q.shape[1];
        double total = 0, sum = 0;
        for (int64_t key = 0; key <= args.context.first_row + row; ++key) {
            double score = 0;
            for (int64_t i = 0; i < size; ++i)
                score += Values{args.q}(row, head, i) * Values{args.k_cache}(key, group, i);
            const double weight = std::exp(score * args.scale);
            total += weight;
            sum += weight * Values{args.v_cache}(key, group, n % size);
        }
        return sum / total;
    };
}

Expected expected(const StepArgs& step, std::string_view tap) {
    if (const auto* args = std::get_if<EmbedArgs>(&step)) {
        return [=](int64_t row, int64_t i) {
            return Values{args->embed_tokens}(args->ids.as<int32_t>()[row], i);
        };
    }
    if (const auto* args = std::get_if<QkvArgs>(&step)) {
        const Expected normed = norm_of(args->hidden, args->input_layernorm, args->rms_norm_eps);
        const Expected q = projection(normed, args->q_proj, args->q_bias);
        const Expected k = projection(normed, args->k_proj, args->k_bias);
        if (tap == "normed") return normed;
        if (tap == "q_pre_rope") return q;
        if (tap == "k_pre_rope") return k;
        if (tap == "q") return rotated(q, *args);
        if (tap == "k") return rotated(k, *args);
        return projection(normed, args->v_proj, args->v_bias);
    }
    if (const auto* args = std::get_if<AttentionArgs>(&step)) return attention_of(*args);
    if (const auto* args = std::get_if<AttnOutputArgs>(&step)) {
        return [=](int64_t row, int64_t n) {
            const Expected attn = [=](int64_t r, int64_t i) { return Values{args->attn}(r, i); };
            return Values{args->hidden}(row, n) + dot(attn, args->o_proj, row, n);
        };
    }
    if (const auto* args = std::get_if<GateUpArgs>(&step)) {
        const Expected normed =
            norm_of(args->hidden_attn, args->post_attention_layernorm, args->rms_norm_eps);
        if (tap == "normed") return normed;
        return [=](int64_t row, int64_t n) {
            const double gate = dot(normed, args->gate_proj, row, n);
            return gate / (1 + std::exp(-gate)) * dot(normed, args->up_proj, row, n);
        };
    }
    if (const auto* args = std::get_if<DownArgs>(&step)) {
        return [=](int64_t row, int64_t n) {
            const Expected mlp = [=](int64_t r, int64_t i) { return Values{args->mlp}(r, i); };
            return Values{args->hidden_attn}(row, n) + dot(mlp, args->down_proj, row, n);
        };
    }
    const auto& args = std::get<LogitsArgs>(step);
    const Expected normed = norm_of(args.hidden, args.norm, args.rms_norm_eps);
    if (tap == "normed") return normed;
    return [=](int64_t row, int64_t n) { return dot(normed, args.lm_head, row, n); };
}

}  // namespace

class TestTruth : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void truth_is_the_formula_data() {
        QTest::addColumn<int>("step");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("first_row");
        QTest::addColumn<bool>("strided");
        for (int step = 0; step < step_count; ++step) {
            const char* name = step_name(static_cast<StepId>(step)).data();
            QTest::addRow("%s, one row", name) << step << 1 << 0 << false;
            QTest::addRow("%s, five rows after three", name) << step << 5 << 3 << false;
            QTest::addRow("%s, strided", name) << step << 4 << 1 << true;
        }
    }
    void truth_is_the_formula() {
        QFETCH(int, step);
        QFETCH(int, rows);
        QFETCH(int, first_row);
        QFETCH(bool, strided);
        SampleOptions options;
        options.activation_dtype = DType::f32;
        options.strided = strided;
        const Result<SampleStep> sample =
            make_sample_step(static_cast<StepId>(step), small_shape(rows, first_row), options);
        QVERIFY2(sample.has_value(), sample ? "" : sample.error().message.c_str());
        auto stream = cpu_device().make_stream(2);
        QVERIFY(run_step(*find_kernel_path(DeviceKind::cpu, "truth"), sample->args, **stream));
        for (const NamedTensor& tap : step_taps(sample->args, true)) {
            const Expected value = expected(sample->args, tap.name);
            const int64_t columns = tap.tensor.numel() / tap.tensor.shape[0];
            double largest = 0;
            for (int64_t i = 0; i < tap.tensor.numel(); ++i)
                largest = std::max(largest, std::abs(value(i / columns, i % columns)));
            for (int64_t i = 0; i < tap.tensor.numel(); ++i) {
                // A few roundings to f32: of normed, of what is rotated, of the result.
                const double error =
                    std::abs(element(tap.tensor, i) - value(i / columns, i % columns));
                QVERIFY2(error <= 3e-7 * largest, qPrintable(QString("%1[%2] is off by %3 of %4")
                                                                 .arg(tap.name.data())
                                                                 .arg(i)
                                                                 .arg(error)
                                                                 .arg(largest)));
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestTruth)
#include "tst_truth.moc"
