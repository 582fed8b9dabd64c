// SPDX-License-Identifier: GPL-3.0-or-later
// Honest paths are left in peace where rounding is at its loudest: in a real model's massive
// activations and in f32, where the floor is all but nothing; and a fault there is found all the
// same.
#include <QTest>
#include <cmath>

#include "core/inspect/comparison.h"
#include "core/inspect/fault.h"
#include "core/inspect/self_test_tasks.h"
#include "core/model/model_loader.h"
#include "core/model/random_model.h"
#include "tests/support/models.h"
#include "tests/support/state_faults.h"

using namespace lockstep;

namespace {

const KernelPath& path(const char* name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

const std::vector<std::string> prompts{
    "Hi",
    "Hello there",
    "The quick brown fox jumps over the lazy dog.",
    "def rms_norm(x, weight, eps):\n    return x / (x.pow(2).mean(-1) + eps).sqrt() * weight\n",
};

std::string said(const Comparison& comparison) {
    if (!comparison.first) return comparison.drift_unexplained ? "drift unexplained" : "match";
    const Divergence& first = *comparison.first;
    std::string text = "layer " + std::to_string(first.layer) + " " +
                       std::string(step_name(first.step)) + " " + first.tensor + ": ";
    for (const PassComparison& pass : comparison.passes) {
        for (const LayerComparison& layer : pass.layers) {
            for (const StepComparison& step : layer.steps) {
                for (const TapComparison& tap : step.taps) {
                    if (tap.verdict.diverged)
                        return text + tap.verdict.part + ", " + tap.verdict.reason;
                }
            }
        }
    }
    return text;
}

}  // namespace

class TestCleanControls : public QObject {
    Q_OBJECT

    static CompareRequest request_of(DType dtype) {
        CompareRequest request;
        LoadOptions options;
        options.dtype = dtype;
        auto model = load_model(test::default_model(), options);
        if (!model) qFatal("%s", model.error().message.c_str());
        request.model = *model;
        request.threads = 2;
        request.candidate = path("fused");
        request.reference = request.floor = path("reference");
        request.truth = path("truth");
        return request;
    }

  private Q_SLOTS:
    void initTestCase() { LOCKSTEP_NEED_MODEL(file, default_model()); }

    void an_honest_path_matches_data() {
        QTest::addColumn<DType>("dtype");
        QTest::newRow("bf16") << DType::bf16;
        QTest::newRow("fp16") << DType::f16;
        QTest::newRow("fp32") << DType::f32;
    }
    void an_honest_path_matches() {
        QFETCH(DType, dtype);
        CompareRequest request = request_of(dtype);
        request.decode_steps = 2;
        std::vector<std::vector<int32_t>> all;
        for (const std::string& prompt : prompts)
            all.push_back(request.model->tokenizer->encode(prompt, {}));
        // Of the self-test's prompts those on which a lucky reference once condemned bf16.
        all.push_back(self_test_prompt(*request.model, 3, 14));
        all.push_back(self_test_prompt(*request.model, 8, 16));
        for (const std::vector<int32_t>& prompt : all) {
            request.prompts = {prompt};
            const auto result = compare_paths(request);
            QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
            QCOMPARE(said(*result), std::string("match"));
        }
    }

    // Qwen2's: a bias that lifts all keys' scores into the hundreds, where a sum's last bit is a
    // share of a weight.
    void biased_keys_are_no_fault() {
        CompareRequest request = request_of(DType::f32);
        const auto tiny = tiny_subjects(cpu_device()).front().load(DType::f32, 0);
        QVERIFY(tiny.has_value());
        double noise = 0;
        int steps = 0;
        for (uint64_t seed = 0; seed < 12; ++seed) {
            auto model = make_random_model({"biased", seed, (*tiny)->config}, DType::f32);
            QVERIFY2(model.has_value(), model ? "" : model.error().message.c_str());
            for (LayerWeights& layer : (*model)->weights.layers) {
                auto* const bias = layer.k_bias.as<float>();
                for (int64_t i = 5; i < layer.k_bias.numel(); i += 16) bias[i] *= 200;
            }
            request.model = *model;
            for (const size_t length : {2, 3, 5, 8}) {
                request.prompts = {self_test_prompt(*request.model, length, seed)};
                const auto result = compare_paths(request);
                QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
                QCOMPARE(said(*result), std::string("match"));
                for (const LayerComparison& layer : result->passes.front().layers) {
                    for (const StepComparison& step : layer.steps) {
                        if (step.step != StepId::attention) continue;
                        const TapComparison& attn = step.taps.front();
                        noise += std::log(attn.verdict.candidate.rms / attn.noise_floor.rms);
                        ++steps;
                    }
                }
            }
        }
        // Scores summed in floats made it 1.5 times.
        noise = std::exp(noise / steps);
        qInfo("attention's error is %.2f times the reference's", noise);
        QVERIFY(noise < 1.25);
    }

    void a_fault_of_state_is_no_rounding_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<DType>("dtype");
        for (const char* fault : {"cache row overwritten", "position"}) {
            QTest::addRow("%s, bf16", fault) << fault << DType::bf16;
            QTest::addRow("%s, fp16", fault) << fault << DType::f16;
        }
    }
    void a_fault_of_state_is_no_rounding() {
        QFETCH(QString, fault);
        QFETCH(DType, dtype);
        CompareRequest request = request_of(dtype);
        request.prompts = {request.model->tokenizer->encode(prompts[2], {})};
        request.decode_steps = 1;
        const auto layers = static_cast<int>(request.model->config.num_hidden_layers);
        request.candidate = fault == "position"
                                ? test::with_wrong_position(path("fused"), layers)
                                : test::with_overwritten_row(path("fused"), layers / 2);
        const auto result = compare_paths(request);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(said(*result), std::string("drift unexplained"));
    }

    // The second opinion is not deaf: the smallest faults of the catalogue, in a late layer.
    void a_small_fault_is_found_all_the_same_data() {
        QTest::addColumn<QString>("fault");
        for (const char* name : {"input_norm_cast_before_weight", "k_output_scaled",
                                 "post_norm_is_layer_norm", "mlp_tail_columns_skipped",
                                 "attn_output_truncating_cast", "down_low_precision_accumulation"})
            QTest::newRow(name) << name;
    }
    void a_small_fault_is_found_all_the_same() {
        QFETCH(QString, fault);
        CompareRequest request = request_of(DType::bf16);
        request.prompts = {request.model->tokenizer->encode(prompts[2], {})};
        const FaultSpec spec{fault.toStdString(), 28};
        auto planted = plant_fault(path("fused"), spec, request.model);
        QVERIFY2(planted.has_value(), planted ? "" : planted.error().message.c_str());
        request.candidate = *planted;
        const auto result = compare_paths(request);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QVERIFY(result->first.has_value());
        QCOMPARE(result->first->layer, 28);
        QCOMPARE(result->first->step, find_fault(spec.name)->step);
    }
};

QTEST_MAIN(TestCleanControls)
#include "tst_clean_controls.moc"
