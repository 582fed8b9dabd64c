// SPDX-License-Identifier: GPL-3.0-or-later
// The default model against what transformers computes for it (tests/golden/model/make_smollm2.py),
// and how soon the engine stops with a model of real size.
#include <QtTest>
#include <numeric>
#include <thread>

#include "core/run/answer.h"
#include "core/run/engine.h"
#include "tests/support/golden_file.h"
#include "tests/support/model_run.h"
#include "tests/support/models.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr double tie = 1e-4;  // of two logits so close either may come first

const KernelPath* cpu_path(const char* name) {
    return find_kernel_path(DeviceKind::cpu, name);
}

std::vector<float> picked_logits(const ModelRun& run, std::span<const int32_t> ids,
                                 size_t vocab_size) {
    const auto last = std::span(run.logits).last(vocab_size);
    std::vector<float> picked;
    for (const int32_t id : ids) picked.push_back(last[static_cast<size_t>(id)]);
    return picked;
}

// [L + 1, last rows, channels] as the golden keeps it.
std::vector<float> picked_hidden(const ModelRun& run, int64_t rows, int64_t hidden_size,
                                 int64_t last_rows, int64_t step) {
    std::vector<int64_t> last(static_cast<size_t>(last_rows));
    std::iota(last.begin(), last.end(), rows - last_rows);
    std::vector<float> picked;
    for (const auto& layer : run.hidden) {
        const auto values = sample(layer, hidden_size, last, step);
        picked.insert(picked.end(), values.begin(), values.end());
    }
    return picked;
}

}  // namespace

class TestSmolLM2 : public QObject {
    Q_OBJECT
  private:
    GoldenFile golden_;
    std::filesystem::path path_;

    const Json& prompts() const { return golden_.description()["prompts"]; }
    std::shared_ptr<const Model> load(DType dtype) const {
        LoadOptions options;
        options.dtype = dtype;
        auto model = load_model(path_, options);
        if (!model) qFatal("%s", model.error().message.c_str());
        return std::move(*model);
    }

  private Q_SLOTS:
    void initTestCase() {
        LOCKSTEP_NEED_MODEL(path, default_model());
        path_ = path;
        auto golden = GoldenFile::read("golden/model/smollm2");
        QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
        golden_ = std::move(*golden);
        QCOMPARE(prompts().size(), size_t{20});
    }

    void prompts_are_templated_and_encoded_as_by_transformers() {
        LoadOptions options;
        options.vocabulary_only = true;
        const auto model = load_model(path_, options);
        QVERIFY2(model, model ? "" : model.error().message.c_str());
        for (const Json& prompt : prompts()) {
            const auto ours = prepare_chat(**model, {{"user", prompt["text"].get<std::string>()}});
            QVERIFY2(ours, ours ? "" : ours.error().message.c_str());
            QCOMPARE(ours->text, prompt["templated"].get<std::string>());
            QCOMPARE(ours->ids, prompt["ids"].get<std::vector<int32_t>>());
        }
    }

    // Every layer and the logits of ten prompts; then, fed with what transformers chose, every one
    // of up to 64 tokens of twenty prompts: greedy decoding gives the same text if each choice is
    // the same.
    void truth_is_transformers_float32() {
        const auto model = load(DType::f32);
        const auto vocab_size = static_cast<size_t>(model->config.vocab_size);
        int tokens = 0, ties = 0;
        for (const Json& prompt : prompts()) {
            const auto prompt_ids = prompt["ids"].get<std::vector<int32_t>>();
            const auto chosen = prompt["greedy"].get<std::vector<int32_t>>();
            const auto leads = prompt["leads"].get<std::vector<double>>();
            std::vector<int32_t> ids = prompt_ids;
            ids.insert(ids.end(), chosen.begin(), chosen.end() - 1);
            const auto run = run_model(model, *cpu_path("truth"), ids);
            QVERIFY2(run, run ? "" : run.error().message.c_str());
            for (size_t i = 0; i < chosen.size(); ++i) {
                const auto row = std::span(run->logits)
                                     .subspan((prompt_ids.size() - 1 + i) * vocab_size, vocab_size);
                const auto best =
                    static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
                ++tokens;
                if (best == chosen[i]) continue;
                ++ties;
                const std::string what = prompt["text"].get<std::string>() + ": token " +
                                         std::to_string(i) + " is " + std::to_string(best) +
                                         ", transformers has " + std::to_string(chosen[i]) +
                                         " with a lead of " + std::to_string(leads[i]);
                QVERIFY2(leads[i] <= tie, what.c_str());
                qInfo("a tie: %s", what.c_str());
            }
            if (!prompt.contains("logits_ids")) continue;
            // The rows of the prompt alone: later rows change nothing before them.
            ModelRun of_prompt = *run;
            of_prompt.logits.resize(prompt_ids.size() * vocab_size);
            const auto logits =
                picked_logits(of_prompt, golden_.ids(prompt["logits_ids"]), vocab_size);
            QCOMPARE(outside_tolerance(logits, golden_.floats(prompt["logits_f32"]), 1e-4, 1e-4),
                     std::string());
        }
        qInfo("%d tokens, %d of them ties within %g", tokens, ties, tie);
    }

    void reference_is_no_noisier_than_transformers_bfloat16() {
        if (!cpu_path("reference")) QSKIP("this build has no reference path");
        const auto model = load(DType::bf16);
        const auto layers = static_cast<size_t>(model->config.num_hidden_layers) + 1;
        const int64_t last_rows = golden_.description()["last_rows"],
                      step = golden_.description()["channel_step"];
        std::vector<ErrorSum> ours(layers + 1), theirs(layers + 1);
        for (const Json& prompt : prompts()) {
            if (!prompt.contains("logits_ids")) continue;
            const auto ids = prompt["ids"].get<std::vector<int32_t>>();
            const auto run = run_model(model, *cpu_path("reference"), ids);
            QVERIFY2(run, run ? "" : run.error().message.c_str());
            const auto exact = golden_.floats(prompt["hidden_f32"]),
                       rounded = golden_.floats(prompt["hidden_bf16"]);
            const auto hidden = picked_hidden(*run, static_cast<int64_t>(ids.size()),
                                              model->config.hidden_size, last_rows, step);
            const size_t size = exact.size() / layers;
            for (size_t layer = 0; layer < layers; ++layer) {
                const auto of = [&](const std::vector<float>& all) {
                    return std::span(all).subspan(layer * size, size);
                };
                ours[layer].add(of(hidden), of(exact));
                theirs[layer].add(of(rounded), of(exact));
            }
            const auto exact_logits = golden_.floats(prompt["logits_f32"]);
            ours[layers].add(picked_logits(*run, golden_.ids(prompt["logits_ids"]),
                                           static_cast<size_t>(model->config.vocab_size)),
                             exact_logits);
            theirs[layers].add(golden_.floats(prompt["logits_bf16"]), exact_logits);
        }
        double worst_rms = 0, worst_max = 0;
        for (size_t i = 0; i <= layers; ++i) {
            worst_rms = std::max(worst_rms, ours[i].rms() / theirs[i].rms());
            worst_max = std::max(worst_max, ours[i].max() / theirs[i].max());
        }
        qInfo(
            "against transformers' bfloat16: RMS error at most %.3f times, largest at most %.3f "
            "times",
            worst_rms, worst_max);
        QVERIFY(worst_rms <= 1.1);
        QVERIFY(worst_max <= 2);
    }

    void fused_is_no_noisier_than_the_reference() {
        if (!cpu_path("fused") || !cpu_path("reference")) QSKIP("this build has no fused path");
        const auto model = load(DType::bf16);
        const auto layers = static_cast<size_t>(model->config.num_hidden_layers) + 1;
        std::vector<ErrorSum> fused_errors(layers + 1), reference_errors(layers + 1);
        for (const Json& prompt : prompts()) {
            if (!prompt.contains("logits_ids")) continue;
            const auto ids = prompt["ids"].get<std::vector<int32_t>>();
            const auto truth = run_model(model, *cpu_path("truth"), ids);
            const auto reference = run_model(model, *cpu_path("reference"), ids);
            const auto fused = run_model(model, *cpu_path("fused"), ids);
            QVERIFY(truth && reference);
            QVERIFY2(fused, fused ? "" : fused.error().message.c_str());
            for (size_t layer = 0; layer < layers; ++layer) {
                fused_errors[layer].add(fused->hidden[layer], truth->hidden[layer]);
                reference_errors[layer].add(reference->hidden[layer], truth->hidden[layer]);
            }
            fused_errors[layers].add(fused->logits, truth->logits);
            reference_errors[layers].add(reference->logits, truth->logits);
        }
        for (size_t i = 1; i <= layers; ++i) {
            const double rms = fused_errors[i].rms() / reference_errors[i].rms();
            const double max = fused_errors[i].max() / reference_errors[i].max();
            QVERIFY2(rms <= 1.5 && max <= 2,
                     qPrintable(QString("%1 %2: RMS error %3, largest %4 times the reference's")
                                    .arg(i == layers ? "logits after layer" : "hidden")
                                    .arg(i)
                                    .arg(rms)
                                    .arg(max)));
        }
    }

    void a_stop_is_honoured_soon_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<bool>("prefill");
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
            for (const bool prefill : {true, false}) {
                QTest::addRow("%s, %s", path.name.c_str(), prefill ? "prefill" : "decode")
                    << QString::fromStdString(path.name) << prefill;
            }
        }
    }
    void a_stop_is_honoured_soon() {
        QFETCH(QString, path);
        QFETCH(bool, prefill);
        Engine engine;
        QVERIFY(engine.set_path(PathChoice(path.toStdString())));
        QVERIFY(engine.load(path_, {}, {}));
        GenerateRequest request;
        request.raw_prompt = "Once upon a time";
        if (prefill) {
            for (int i = 0; i < 1000; ++i) request.raw_prompt += " there was a list of words";
        }
        std::atomic<bool> begun = false;
        std::atomic<double> stopped_at = 0;
        const Stopwatch clock;
        std::jthread stopper([&] {
            while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            std::this_thread::sleep_for(std::chrono::milliseconds(60));
            stopped_at = clock.seconds();
            engine.cancel();
        });
        begun = prefill;
        const auto result = engine.generate(request, [&](const TokenEvent&) {
            begun = true;
            return true;
        });
        const double late = (clock.seconds() - stopped_at) * 1e3;
        QVERIFY2(result, result ? "" : result.error().message.c_str());
        QCOMPARE(result->stop_reason, StopReason::cancelled);
        QCOMPARE(result->output_ids.empty(), prefill);
        qInfo("stopped %.1f ms after it was asked to (50 ms at most on an idle machine)", late);
        QVERIFY(late < 200);
    }
};

QTEST_APPLESS_MAIN(TestSmolLM2)
#include "tst_smollm2.moc"
