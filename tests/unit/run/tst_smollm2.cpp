// SPDX-License-Identifier: GPL-3.0-or-later
// The default model against what transformers computes for it (tests/golden/model/make_smollm2.py).
#include <QTest>
#include <cmath>
#include <numeric>

#include "core/run/engine.h"
#include "tests/support/golden_file.h"
#include "tests/support/model_run.h"
#include "tests/support/models.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr size_t figures = 10;  // prompts with hidden, logits and errors: the first ones
constexpr double tie = 1e-4;    // of two logits so close either may come first

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

struct Exact {
    std::vector<int32_t> ids;
    ModelRun run;
};

}  // namespace

class TestSmolLM2 : public QObject {
    Q_OBJECT
  private:
    GoldenFile golden_;
    std::filesystem::path path_;
    std::vector<Exact> exact_;

    const Json& prompts() const { return golden_.description()["prompts"]; }
    std::shared_ptr<const Model> load(DType dtype) const {
        LoadOptions options;
        options.dtype = dtype;
        auto model = load_model(path_, options);
        if (!model) qFatal("%s", model.error().message.c_str());
        return std::move(*model);
    }

    // Of each layer's hidden and, last, of the logits; all prompts and rows together.
    struct Noise {
        std::vector<ErrorSum> ours, theirs;  // theirs: transformers' bfloat16
        // Each row's RMS error, and each prompt's largest one.
        std::vector<std::vector<double>> of_rows, of_their_rows, of_prompts, of_their_prompts;
        std::vector<double> by_size;  // of ours: each row's mean square error over its mean square
        std::string problem;

        explicit Noise(size_t outputs)
            : ours(outputs),
              theirs(outputs),
              of_rows(outputs),
              of_their_rows(outputs),
              of_prompts(outputs),
              of_their_prompts(outputs),
              by_size(outputs) {}
    };
    // Truth with f32 weights, of the prompts that have figures; computed once, as it takes longest.
    const std::vector<Exact>& exact_runs() {
        if (!exact_.empty()) return exact_;
        const auto model = load(DType::f32);
        for (size_t i = 0; i < figures; ++i) {
            auto ids = prompts()[i]["ids"].get<std::vector<int32_t>>();
            auto run = run_model(model, *cpu_path("truth"), ids);
            if (!run) qFatal("%s", run.error().message.c_str());
            exact_.push_back({std::move(ids), std::move(*run)});
        }
        return exact_;
    }
    // How far a path with bf16 weights is from truth with f32 ones, which is transformers' float32.
    Noise measure(const KernelPath& path) {
        const auto model = load(DType::bf16);
        const auto& exact_of_all = exact_runs();
        const auto layers = static_cast<size_t>(model->config.num_hidden_layers) + 1;
        Noise noise(layers + 1);
        for (size_t i = 0; i < exact_of_all.size(); ++i) {
            const auto& [ids, exact] = exact_of_all[i];
            const auto rounded = run_model(model, path, ids);
            if (!rounded) {
                noise.problem = rounded.error().message;
                return noise;
            }
            for (size_t layer = 0; layer < layers; ++layer)
                add(noise, layer, rounded->hidden[layer], exact.hidden[layer], ids.size());
            add(noise, layers, rounded->logits, exact.logits, ids.size());
            add_theirs(noise, prompts()[i], model->config, ids.size());
        }
        return noise;
    }
    static void add(Noise& noise, size_t index, std::span<const float> values,
                    std::span<const float> exact, size_t rows) {
        noise.ours[index].add(values, exact);
        ErrorSum of_prompt;
        of_prompt.add(values, exact);
        noise.of_prompts[index].push_back(of_prompt.max());
        const size_t columns = exact.size() / rows;
        for (size_t row = 0; row < rows; ++row) {
            ErrorSum error;
            error.add(values.subspan(row * columns, columns),
                      exact.subspan(row * columns, columns));
            noise.of_rows[index].push_back(error.rms());
            double size = 0;
            for (const float x : exact.subspan(row * columns, columns))
                size += static_cast<double>(x) * static_cast<double>(x);
            noise.by_size[index] += error.rms() * error.rms() * static_cast<double>(columns) / size;
        }
    }
    void add_theirs(Noise& noise, const Json& prompt, const ModelConfig& config,
                    size_t rows) const {
        const auto hidden_rms = golden_.floats(prompt["bf16_hidden_rms"]);  // [L + 1, T]
        const auto hidden_max = golden_.floats(prompt["bf16_hidden_max"]);
        const auto logits_rms = golden_.floats(prompt["bf16_logits_rms"]);  // [T]
        const auto logits_max = golden_.floats(prompt["bf16_logits_max"]);
        const auto add_output = [&](size_t index, std::span<const float> rms, float max,
                                    int64_t columns) {
            for (const float of_row : rms) {
                noise.theirs[index].add_figures(of_row, max, columns);
                noise.of_their_rows[index].push_back(of_row);
            }
            noise.of_their_prompts[index].push_back(max);
        };
        for (size_t layer = 0; layer < hidden_max.size(); ++layer)
            add_output(layer, std::span(hidden_rms).subspan(layer * rows, rows), hidden_max[layer],
                       config.hidden_size);
        add_output(hidden_max.size(), logits_rms, logits_max[0], config.vocab_size);
    }

    // Geometric, of the rows, or prompts, that neither has exactly.
    static double mean_ratio(const std::vector<double>& ours, const std::vector<double>& theirs) {
        double sum = 0;
        int rows = 0;
        for (size_t row = 0; row < ours.size(); ++row) {
            if (ours[row] <= 0 || theirs[row] <= 0) continue;
            sum += std::log(ours[row] / theirs[row]);
            ++rows;
        }
        return std::exp(sum / rows);
    }

    // The most likely token after the prompt and after each of `fed` but the last.
    static std::vector<int32_t> choices(const std::shared_ptr<const Model>& model,
                                        std::vector<int32_t> prompt,
                                        const std::vector<int32_t>& fed) {
        const size_t first = prompt.size() - 1;
        const auto vocab_size = static_cast<size_t>(model->config.vocab_size);
        prompt.insert(prompt.end(), fed.begin(), fed.end() - 1);
        const auto run = run_model(model, *cpu_path("truth"), prompt);
        std::vector<int32_t> chosen;
        for (size_t row = first; run && row < prompt.size(); ++row) {
            const auto logits = std::span(run->logits).subspan(row * vocab_size, vocab_size);
            chosen.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) -
                                                  logits.begin()));
        }
        return chosen;
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

    // Ten prompts: a sample of each layer's hidden, and of the logits.
    void truth_is_transformers_float32() {
        const auto& runs = exact_runs();
        const int64_t last_rows = golden_.description()["last_rows"];
        const int64_t step = golden_.description()["channel_step"];
        for (size_t i = 0; i < runs.size(); ++i) {
            const Json& prompt = prompts()[i];
            const size_t rows = runs[i].ids.size();
            const size_t vocab_size = runs[i].run.logits.size() / rows;
            const auto hidden_size = static_cast<int64_t>(runs[i].run.hidden[0].size() / rows);
            const auto hidden = picked_hidden(runs[i].run, static_cast<int64_t>(rows), hidden_size,
                                              last_rows, step);
            const auto logits =
                picked_logits(runs[i].run, golden_.ids(prompt["logits_ids"]), vocab_size);
            QCOMPARE(outside_tolerance(hidden, golden_.floats(prompt["hidden_f32"]), 1e-4, 2e-4),
                     std::string());
            QCOMPARE(outside_tolerance(logits, golden_.floats(prompt["logits_f32"]), 1e-4, 1e-4),
                     std::string());
        }
    }

    // Up to 64 tokens of twenty prompts. Truth is fed with what transformers chose: greedy decoding
    // gives the same tokens if each choice is the same.
    void truth_chooses_what_transformers_float32_chose() {
        const auto model = load(DType::f32);
        int tokens = 0, ties = 0;
        for (const Json& prompt : prompts()) {
            const auto chosen = prompt["greedy"].get<std::vector<int32_t>>();
            const auto leads = prompt["leads"].get<std::vector<double>>();
            const auto ours = choices(model, prompt["ids"].get<std::vector<int32_t>>(), chosen);
            QCOMPARE(ours.size(), chosen.size());
            for (size_t i = 0; i < chosen.size(); ++i) {
                ++tokens;
                if (ours[i] == chosen[i]) continue;
                ++ties;
                const std::string what = prompt["text"].get<std::string>() + ": token " +
                                         std::to_string(i) + " is " + std::to_string(ours[i]) +
                                         ", transformers has " + std::to_string(chosen[i]) +
                                         " with a lead of " + std::to_string(leads[i]);
                QVERIFY2(leads[i] <= tie, what.c_str());
                qInfo("a tie: %s", what.c_str());
            }
        }
        qInfo("%d tokens, %d of them ties within %g", tokens, ties, tie);
    }

    // And once as a user gets it, token by token.
    void the_engine_answers_as_transformers_does() {
        const Json& prompt = prompts()[3];
        Engine engine;
        LoadOptions options;
        options.dtype = DType::f32;
        QVERIFY(engine.set_path(PathChoice("truth")));
        QVERIFY(engine.load(path_, options, {}));
        GenerateRequest request;
        request.messages = {{"user", prompt["text"].get<std::string>()}};
        request.max_tokens = 64;
        const auto result = engine.generate(request, {});
        QVERIFY2(result, result ? "" : result.error().message.c_str());
        QCOMPARE(result->prompt_ids, prompt["ids"].get<std::vector<int32_t>>());
        QCOMPARE(result->output_ids, prompt["greedy"].get<std::vector<int32_t>>());
    }

    // Each layer's hidden and the logits, over all rows of ten prompts: no further from float32
    // than transformers' own bfloat16 run is. In CTest with oneDNN held to the instructions of the
    // golden's kind: of this model's rows one or two in four hundred, which ones by chance, meet a
    // layer where a rounding moves all of the row ten thousandfold, and sums of errors are of those
    // rows alone (with AMX's order of products one row has 0.29 of a layer's, else 0.11).
    void reference_is_no_noisier_than_transformers_bfloat16() {
        if (!cpu_path("reference")) QSKIP("this build has no reference path");
        const Noise noise = measure(*cpu_path("reference"));
        QVERIFY2(noise.problem.empty(), noise.problem.c_str());
        double worst_rms = 0, worst_max = 0;
        for (size_t i = 1; i < noise.ours.size(); ++i) {
            worst_rms = std::max(worst_rms, noise.ours[i].rms() / noise.theirs[i].rms());
            worst_max = std::max(worst_max, noise.ours[i].max() / noise.theirs[i].max());
        }
        qInfo("RMS error at most %.3f times, largest at most %.3f times transformers'", worst_rms,
              worst_max);
        QVERIFY(worst_rms <= 1.1);
        QVERIFY(worst_max <= 2);
    }

    // With any instructions: a row counts by the ratio of its own two errors, and an output by its
    // rows' geometric mean; a prompt's largest errors likewise.
    void rows_of_the_reference_are_no_noisier() {
        if (!cpu_path("reference")) QSKIP("this build has no reference path");
        const Noise noise = measure(*cpu_path("reference"));
        QVERIFY2(noise.problem.empty(), noise.problem.c_str());
        double worst_rms = 0, worst_max = 0;
        for (size_t i = 1; i < noise.ours.size(); ++i) {
            worst_rms = std::max(worst_rms, mean_ratio(noise.of_rows[i], noise.of_their_rows[i]));
            worst_max =
                std::max(worst_max, mean_ratio(noise.of_prompts[i], noise.of_their_prompts[i]));
        }
        qInfo("a row's RMS error %.3f times, a prompt's largest %.3f times transformers'",
              worst_rms, worst_max);
        QVERIFY(worst_rms <= 1.1);
        QVERIFY(worst_max <= 2);
    }

    // By rows' ratios, as above.
    void fused_is_no_noisier_than_the_reference() {
        if (!cpu_path("fused") || !cpu_path("reference")) QSKIP("this build has no fused path");
        const Noise fused = measure(*cpu_path("fused")),
                    reference = measure(*cpu_path("reference"));
        QVERIFY2(fused.problem.empty(), fused.problem.c_str());
        double worst = 0;
        for (size_t i = 1; i < fused.of_rows.size(); ++i) {
            const double ratio = mean_ratio(fused.of_rows[i], reference.of_rows[i]);
            QVERIFY(ratio <= 1);
            // Those rows, too, within the rule.
            QVERIFY(fused.by_size[i] <= 1.5 * 1.5 * reference.by_size[i]);
            worst = std::max(worst, ratio);
        }
        qInfo("a row's RMS error %.3f times the reference's in the worst layer", worst);
        // And what is asked can be told from what is not: the other way round it is not so.
        QVERIFY(mean_ratio(reference.of_rows[1], fused.of_rows[1]) > 1);
    }
};

QTEST_APPLESS_MAIN(TestSmolLM2)
#include "tst_smollm2.moc"
