// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a comparison finds where two paths part, and only then.
#include <QTest>
#include <atomic>
#include <memory>

#include "core/inspect/comparison.h"
#include "core/inspect/fault.h"
#include "tests/support/state_faults.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

const KernelPath& path(const char* name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

std::vector<int32_t> some_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

// The path's qkv with its arguments changed in one layer: what a dropped bias or a wrong eps does.
template <class Change>
KernelPath with_wrong_qkv(KernelPath base, int layer, const Change& change) {
    const StepFunction<QkvArgs> honest = base.qkv;
    base.name += " with a wrong qkv";
    base.qkv = [honest, layer, change](const QkvArgs& args, Stream& stream) {
        QkvArgs changed = args;
        if (args.context.layer == layer) change(changed);
        return honest(changed, stream);
    };
    return base;
}

TinyRecipe biased_recipe() {
    const auto recipes = read_tiny_recipes();
    for (const TinyRecipe& recipe : *recipes) {
        if (recipe.name == "qwen2-gqa7-tied") return recipe;
    }
    return recipes->front();
}

CompareRequest request_of(const std::shared_ptr<const Model>& model, const KernelPath& candidate,
                          std::vector<size_t> lengths, int decode_steps) {
    CompareRequest request;
    request.model = model;
    request.threads = 2;
    for (const size_t length : lengths)
        request.prompts.push_back(some_ids(length, model->config.vocab_size));
    request.decode_steps = decode_steps;
    request.candidate = candidate;
    request.reference = request.floor = path("reference");
    request.truth = path("truth");
    return request;
}

std::string place(const Comparison& comparison) {
    if (!comparison.first) return "match";
    const Divergence& first = *comparison.first;
    return "pass " + std::to_string(first.pass) + " layer " + std::to_string(first.layer) + " " +
           std::string(step_name(first.step)) + " " + first.tensor;
}

}  // namespace

class TestComparison : public QObject {
    Q_OBJECT
    std::shared_ptr<Model> model_;

  private Q_SLOTS:
    void initTestCase() { model_ = make_tiny_model(biased_recipe(), DType::bf16); }

    void honest_paths_match_data() {
        QTest::addColumn<QString>("candidate");
        QTest::addColumn<DType>("dtype");
        for (const KernelPath& each : kernel_paths(DeviceKind::cpu)) {
            for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                const std::string row = each.name + " " + std::string(dtype_info(dtype).name);
                QTest::newRow(row.c_str()) << QString::fromStdString(each.name) << dtype;
            }
        }
    }
    void honest_paths_match() {
        QFETCH(QString, candidate);
        QFETCH(DType, dtype);
        const auto model = make_tiny_model(biased_recipe(), dtype);
        const auto result = compare_paths(
            request_of(model, path(candidate.toUtf8().constData()), {1, 2, 17, 33}, 3));
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(place(*result), std::string("match"));
        QVERIFY(!result->drift_unexplained);
        QCOMPARE(result->passes.size(), size_t{4 * 4});
        const auto layers = worst_layers(*result);
        QCOMPARE(layers.size(), static_cast<size_t>(model->config.num_hidden_layers) + 2);
        QCOMPARE(layers.front().layer, -1);
        QCOMPARE(layers[1].steps.size(), size_t{5});
    }

    void the_reference_against_itself_is_exactly_equal() {
        const auto result = compare_paths(request_of(model_, path("reference"), {9}, 2));
        QVERIFY(result.has_value());
        for (const LayerComparison& layer : worst_layers(*result)) {
            for (const StepComparison& step : layer.steps) {
                for (const TapComparison& tap : step.taps) {
                    QCOMPARE(tap.local.max_abs, 0.0);
                    QCOMPARE(tap.drift.max_abs, 0.0);
                    QVERIFY(tap.noise_floor.max_abs > 0 || layer.layer < 0);
                }
            }
        }
        QCOMPARE(result->passes[0].logits.top1_agree, 1.0);
        QCOMPARE(result->passes[0].logits.kl, 0.0);
    }

    // The case that this program was born from: a dropped bias.
    void a_dropped_bias_is_found_where_it_is_data() {
        QTest::addColumn<int>("layer");
        QTest::newRow("first layer") << 0;
        QTest::newRow("last layer") << 1;
    }
    void a_dropped_bias_is_found_where_it_is() {
        QFETCH(int, layer);
        const KernelPath wrong =
            with_wrong_qkv(path("reference"), layer, [](QkvArgs& args) { args.k_bias = Tensor(); });
        const auto result = compare_paths(request_of(model_, wrong, {1, 17}, 2));
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(place(*result), "pass 0 layer " + std::to_string(layer) + " qkv k");
        QCOMPARE(result->input, InputState::identical);
        for (const StepComparison& step :
             result->passes[0].layers[static_cast<size_t>(layer) + 1].steps) {
            for (const TapComparison& tap : step.taps) {
                const bool guilty = tap.tensor == "k" || tap.tensor == "k_pre_rope";
                QCOMPARE(tap.verdict.diverged, guilty && step.step == StepId::qkv);
            }
        }
    }

    // Two honest paths round apart on the way to a wrong step: that is not what is wrong with it.
    void an_input_that_is_only_rounded_is_told_from_one_that_drifted() {
        const KernelPath wrong =
            with_wrong_qkv(path("fused"), 1, [](QkvArgs& args) { args.k_bias = Tensor(); });
        const auto result = compare_paths(request_of(model_, wrong, {17}, 0));
        QVERIFY(result.has_value());
        QCOMPARE(place(*result), std::string("pass 0 layer 1 qkv k"));
        QVERIFY(result->input_drift.max_abs > 0);
        QCOMPARE(result->input, InputState::rounded);
        ErrorFigures nan;
        nan.non_finite = true;
        QCOMPARE(input_state(nan, DType::bf16, 100), InputState::drifted);
        QCOMPARE(input_state({}, DType::bf16, 0), InputState::identical);
    }

    // Only the step's own error is judged: what follows a wrong layer drifts, but is not guilty.
    void later_layers_drift_and_are_not_blamed() {
        const KernelPath wrong =
            with_wrong_qkv(path("reference"), 0, [](QkvArgs& args) { args.rms_norm_eps = 3; });
        const auto result = compare_paths(request_of(model_, wrong, {12}, 0));
        QVERIFY(result.has_value());
        QCOMPARE(result->first->layer, 0);
        const LayerComparison& last = result->passes[0].layers[2];
        QCOMPARE(last.layer, 1);
        QVERIFY(last.steps[0].input_drift.max_abs > 0);
        QCOMPARE(last.steps[0].input, InputState::drifted);
        for (const StepComparison& step : last.steps) {
            for (const TapComparison& tap : step.taps) {
                QVERIFY(tap.drift.max_abs > 0);
                QVERIFY2(!tap.verdict.diverged, tap.tensor.c_str());
            }
        }
    }

    void rows_that_were_never_written_are_divergence() {
        KernelPath wrong = path("reference");
        const StepFunction<QkvArgs> honest = wrong.qkv;
        wrong.qkv = [honest](const QkvArgs& args, Stream& stream) -> Status {
            std::vector<uint16_t> other(static_cast<size_t>(args.v_cache.numel()));
            QkvArgs changed = args;
            changed.v_cache.data = other.data();
            return honest(changed, stream);
        };
        const auto result = compare_paths(request_of(model_, wrong, {6}, 1));
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(place(*result), std::string("pass 0 layer 0 qkv v"));
        QVERIFY(result->passes[0].layers[1].steps[0].taps.size() >= 3);
    }

    void a_fault_of_decoding_alone_is_found_in_its_pass() {
        KernelPath wrong = path("reference");
        const StepFunction<AttentionArgs> honest = wrong.attention;
        wrong.attention = [honest](const AttentionArgs& args, Stream& stream) {
            AttentionArgs changed = args;
            if (args.q.shape[0] == 1 && args.context.layer == 1) changed.scale *= 1.5f;
            return honest(changed, stream);
        };
        const auto result = compare_paths(request_of(model_, wrong, {7}, 3));
        QVERIFY(result.has_value());
        QCOMPARE(place(*result), std::string("pass 1 layer 1 attention attn"));
        QCOMPARE(result->first->position, int64_t{7});
    }

    // The same prompt is run again and again: an output that is one call late would be right.
    void an_output_that_is_one_call_late_is_found_data() {
        QTest::addColumn<QString>("fault");
        QTest::newRow("attention") << "attn_output_stale";
        QTest::newRow("down") << "down_output_stale";
    }
    void an_output_that_is_one_call_late_is_found() {
        QFETCH(QString, fault);
        const FaultSpec spec{fault.toStdString(), 1};
        const auto wrong = plant_fault(path("fused"), spec, model_);
        QVERIFY(wrong.has_value());
        for (int time = 0; time < 2; ++time) {
            const auto result = compare_paths(request_of(model_, *wrong, {6}, 0));
            QVERIFY(result.has_value());
            QVERIFY(result->first && result->first->layer == 1);
            QCOMPARE(result->first->step, find_fault(spec.name)->step);
        }
    }

    // A path whose steps are right whenever they are tried, but whose run was not: no culprit is
    // invented.
    void drift_that_no_step_explains_is_said_so() {
        KernelPath wrong = path("reference");
        const auto calls = std::make_shared<std::atomic<int>>(0);
        const StepFunction<DownArgs> honest = wrong.down;
        wrong.down = [honest, calls](const DownArgs& args, Stream& stream) -> Status {
            if (Status ran = honest(args, stream); !ran) return ran;
            if (calls->fetch_add(1) != 0) return {};
            for (int64_t i = 0; i < args.hidden.shape[1]; ++i)
                store_element(args.hidden.data, args.hidden.dtype, i, i % 2 ? 3.f : -3.f);
            return {};
        };
        const auto result = compare_paths(request_of(model_, wrong, {1}, 0));
        QVERIFY(result.has_value());
        QCOMPARE(place(*result), std::string("match"));
        QVERIFY(result->drift_unexplained);
    }

    // Every step is right on whatever it is given; what is wrong is what the run hands on.
    void a_fault_of_state_is_said_to_be_drift_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<DType>("dtype");
        for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
            for (const char* fault : {"cache row overwritten", "position", "none"})
                QTest::addRow("%s, %s", fault, std::string(dtype_info(dtype).name).c_str())
                    << fault << dtype;
        }
    }
    void a_fault_of_state_is_said_to_be_drift() {
        QFETCH(QString, fault);
        QFETCH(DType, dtype);
        const auto model = make_tiny_model(biased_recipe(), dtype);
        KernelPath own = path("fused");
        if (fault == "cache row overwritten") own = with_overwritten_row(own, 0);
        if (fault == "position")
            own = with_wrong_position(own, static_cast<int>(model->config.num_hidden_layers));
        const auto result = compare_paths(request_of(model, own, {9}, 2));
        QVERIFY(result.has_value());
        QCOMPARE(place(*result), std::string("match"));
        QCOMPARE(result->drift_unexplained, fault != "none");
    }

    void a_divergence_can_be_reopened() {
        const KernelPath wrong =
            with_wrong_qkv(path("reference"), 1, [](QkvArgs& args) { args.q_bias = Tensor(); });
        const CompareRequest request = request_of(model_, wrong, {1, 17}, 2);
        const auto result = compare_paths(request);
        QVERIFY(result.has_value() && result->first);
        const auto reopened = reopen_step(request, *result->first);
        QVERIFY2(reopened.has_value(), reopened ? "" : reopened.error().message.c_str());
        const auto q_of = [](const SampleStep& run) { return std::get<QkvArgs>(run.args).q; };
        const StepRuns& runs = reopened->runs;
        QVERIFY(judge(q_of(runs.candidate), q_of(runs.reference), q_of(runs.truth), DType::bf16)
                    .diverged);
        QVERIFY(!judge(q_of(runs.reference), q_of(runs.reference), q_of(runs.truth), DType::bf16)
                     .diverged);
    }

    void truth_can_be_the_reference() {
        CompareRequest request = request_of(model_, path("fused"), {13}, 1);
        request.reference = path("truth");
        const auto result = compare_paths(request);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(place(*result), std::string("match"));
    }

    void a_prompt_that_takes_several_batches_is_compared_whole() {
        const KernelPath wrong = with_wrong_qkv(path("reference"), 1, [](QkvArgs& args) {
            if (args.context.first_row > 0) args.v_bias = Tensor();
        });
        TinyRecipe recipe = biased_recipe();
        recipe.config.max_position_embeddings = 1024;
        const auto result =
            compare_paths(request_of(make_tiny_model(recipe, DType::bf16), wrong, {600}, 0));
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(result->passes.size(), size_t{2});
        QCOMPARE(place(*result), std::string("pass 0 layer 1 qkv v"));
        QVERIFY(result->first->position >= result->passes[1].first_row);
    }

    void it_can_be_stopped_and_refuses_what_does_not_fit() {
        CompareRequest request = request_of(model_, path("fused"), {8}, 0);
        double last = 0;
        request.progress = [&](const CompareProgress& progress) {
            last = progress.fraction;
            return progress.fraction < 0.5;
        };
        auto result = compare_paths(request);
        QVERIFY(!result.has_value());
        QCOMPARE(static_cast<int>(result.error().kind), static_cast<int>(ErrorKind::cancelled));
        QVERIFY(last >= 0.5 && last < 1);

        request.progress = nullptr;
        request.prompts = {{}};
        result = compare_paths(request);
        QVERIFY(result.error().message.find("no tokens") != std::string::npos);
        request.prompts = {
            some_ids(static_cast<size_t>(model_->config.max_position_embeddings) + 1, 100)};
        result = compare_paths(request);
        QVERIFY(result.error().message.find("context") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestComparison)
#include "tst_comparison.moc"
