// SPDX-License-Identifier: GPL-3.0-or-later
// Whole tiny models against what transformers computes for them (tests/golden/model/make_tiny.py).
#include <QTest>
#include <numeric>

#include "core/inspect/verdict.h"
#include "tests/support/golden_file.h"
#include "tests/support/model_run.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// One model at one length, as transformers has it.
struct Golden {
    std::vector<int32_t> ids;
    int64_t channel_step = 1;
    std::vector<int64_t> logits_rows;
    std::vector<float> hidden_f32, hidden_bf16;  // [L + 1, T, H / channel_step]
    std::vector<float> logits_f32, logits_bf16;  // [logits_rows, V]
};

Golden read_golden(const GoldenFile& file, const Json& model, const Json& entry) {
    Golden golden;
    golden.ids = file.ids(model["ids"]);
    golden.ids.resize(entry["tokens"].get<size_t>());
    golden.channel_step = entry["channel_step"];
    golden.logits_rows = entry["logits_rows"].get<std::vector<int64_t>>();
    golden.hidden_f32 = file.floats(entry["hidden_f32"]);
    golden.hidden_bf16 = file.floats(entry["hidden_bf16"]);
    golden.logits_f32 = file.floats(entry["logits_f32"]);
    golden.logits_bf16 = file.floats(entry["logits_bf16"]);
    return golden;
}

// What a run has at the places that a golden kept.
std::vector<float> hidden_of(const ModelRun& run, size_t layer, const Golden& golden,
                             int64_t hidden_size) {
    std::vector<int64_t> rows(golden.ids.size());
    std::iota(rows.begin(), rows.end(), 0);
    return sample(run.hidden[layer], hidden_size, rows, golden.channel_step);
}

std::vector<float> logits_of(const ModelRun& run, const Golden& golden, int64_t vocab_size) {
    return sample(run.logits, vocab_size, golden.logits_rows, 1);
}

template <class Values>
auto layer_of(const Values& values, size_t layer, size_t layers) {
    const size_t size = values.size() / layers;
    return std::span(values).subspan(layer * size, size);
}

const KernelPath* cpu_path(const char* name) {
    return find_kernel_path(DeviceKind::cpu, name);
}

}  // namespace

class TestTinyModels : public QObject {
    Q_OBJECT
  private:
    std::vector<TinyRecipe> recipes_;
    GoldenFile golden_;

    const Json& model(size_t index) const { return golden_.description()["models"][index]; }

    void rows_of_models_and_lengths() {
        QTest::addColumn<size_t>("index");
        QTest::addColumn<size_t>("entry");
        for (size_t index = 0; index < recipes_.size(); ++index) {
            for (size_t entry = 0; entry < model(index)["cases"].size(); ++entry) {
                const auto tokens = model(index)["cases"][entry]["tokens"].get<int>();
                QTest::addRow("%s, %d tokens", recipes_[index].name.c_str(), tokens)
                    << index << entry;
            }
        }
    }
    void rows_of_models() {
        QTest::addColumn<size_t>("index");
        for (size_t index = 0; index < recipes_.size(); ++index)
            QTest::newRow(recipes_[index].name.c_str()) << index;
    }

    // Empty where truth is transformers' float32 to within 1e-4.
    std::string judge_truth(const TinyRecipe& recipe, const std::shared_ptr<const Model>& made,
                            const Golden& golden) const {
        const auto run = run_model(made, *cpu_path("truth"), golden.ids);
        if (!run) return run.error().message;
        for (size_t layer = 0; layer < run->hidden.size(); ++layer) {
            const auto expected = layer_of(golden.hidden_f32, layer, run->hidden.size());
            const auto values = hidden_of(*run, layer, golden, recipe.config.hidden_size);
            const std::string wrong = outside_tolerance(values, expected, 1e-4, 1e-4);
            if (!wrong.empty())
                return "hidden of layer " + std::to_string(layer) + " of all: " + wrong;
        }
        const std::string wrong = outside_tolerance(
            logits_of(*run, golden, recipe.config.vocab_size), golden.logits_f32, 1e-4, 1e-4);
        return wrong.empty() ? "" : "logits: " + wrong;
    }

    struct Noise {  // distances from float32
        std::vector<ErrorSum> ours, theirs;
    };
    // Of each layer's hidden and, last, of the logits; all lengths together.
    Result<Noise> noise(size_t index, const std::shared_ptr<const Model>& made,
                        const KernelPath& path) const {
        const ModelConfig& config = recipes_[index].config;
        const auto layers = static_cast<size_t>(config.num_hidden_layers) + 1;
        Noise sums{std::vector<ErrorSum>(layers + 1), std::vector<ErrorSum>(layers + 1)};
        for (const Json& entry : model(index)["cases"]) {
            const Golden golden = read_golden(golden_, model(index), entry);
            LOCKSTEP_ASSIGN(const ModelRun run, run_model(made, path, golden.ids));
            for (size_t layer = 0; layer < layers; ++layer) {
                const auto exact = layer_of(golden.hidden_f32, layer, layers);
                sums.ours[layer].add(hidden_of(run, layer, golden, config.hidden_size), exact);
                sums.theirs[layer].add(layer_of(golden.hidden_bf16, layer, layers), exact);
            }
            sums.ours[layers].add(logits_of(run, golden, config.vocab_size), golden.logits_f32);
            sums.theirs[layers].add(golden.logits_bf16, golden.logits_f32);
        }
        return sums;
    }
    // Empty where no layer is further from float32 than transformers' bfloat16 run.
    static std::string judge_noise(const Noise& sums) {
        for (size_t i = 0; i < sums.ours.size(); ++i) {
            const double rms = sums.ours[i].rms() / sums.theirs[i].rms();
            const double max = sums.ours[i].max() / sums.theirs[i].max();
            const bool same = sums.ours[i].max() == 0;  // the embedding is exact on both sides
            if (same || (rms <= 1.1 && max <= 2)) continue;
            const std::string what =
                i + 1 == sums.ours.size() ? "logits" : "hidden " + std::to_string(i);
            return what + ": RMS error " + std::to_string(rms) + " and largest error " +
                   std::to_string(max) + " times those of transformers' bfloat16";
        }
        return {};
    }

  private Q_SLOTS:
    void initTestCase() {
        auto recipes = read_tiny_recipes();
        QVERIFY2(recipes, recipes ? "" : recipes.error().message.c_str());
        auto golden = GoldenFile::read("golden/model/tiny");
        QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
        recipes_ = std::move(*recipes);
        golden_ = std::move(*golden);
        QCOMPARE(recipes_.size(),
                 model(0).is_object() ? golden_.description()["models"].size() : 0);
    }

    void inv_freq_is_transformers_data() { rows_of_models(); }
    void inv_freq_is_transformers() {
        QFETCH(size_t, index);
        const auto expected = golden_.floats(model(index)["inv_freq"]);
        const auto ours = rope_inv_freq(recipes_[index].config);
        const std::string wrong = outside_tolerance(ours, expected, 3e-7, 0);
        QVERIFY2(wrong.empty(), wrong.c_str());
    }

    void truth_is_transformers_float32_data() { rows_of_models_and_lengths(); }
    void truth_is_transformers_float32() {
        QFETCH(size_t, index);
        QFETCH(size_t, entry);
        const Golden golden = read_golden(golden_, model(index), model(index)["cases"][entry]);
        const auto made = make_tiny_model(recipes_[index], DType::f32);
        const std::string wrong = judge_truth(recipes_[index], made, golden);
        QVERIFY2(wrong.empty(), wrong.c_str());
    }

    // The check above must see each of the faults that it is there for.
    void a_wrong_model_is_seen_data() {
        QTest::addColumn<QString>("fault");
        for (const char* fault : {"theta", "q bias", "norm", "swapped k and v", "scaling"})
            QTest::newRow(fault) << QString(fault);
    }
    void a_wrong_model_is_seen() {
        QFETCH(QString, fault);
        const size_t index = fault == "scaling" ? 5 : 0;
        const auto made = make_tiny_model(recipes_[index], DType::f32);
        LayerWeights& layer = made->weights.layers[0];
        if (fault == "theta") made->config.rope_theta *= 1.01;
        if (fault == "q bias") layer.q_bias = Tensor();
        if (fault == "norm") made->weights.norm.as<float>()[3] *= 1.01F;
        if (fault == "swapped k and v") std::swap(layer.k_proj, layer.v_proj);
        if (fault == "scaling") made->config.rope_scaling.type = RopeScaling::Type::none;
        const Golden golden = read_golden(golden_, model(index), model(index)["cases"][2]);
        QVERIFY(!judge_truth(recipes_[index], made, golden).empty());
    }

    void reference_is_no_noisier_than_transformers_bfloat16_data() { rows_of_models(); }
    void reference_is_no_noisier_than_transformers_bfloat16() {
        QFETCH(size_t, index);
        if (!cpu_path("reference")) QSKIP("this build has no reference path");
        const auto sums =
            noise(index, make_tiny_model(recipes_[index], DType::bf16), *cpu_path("reference"));
        QVERIFY2(sums, sums ? "" : sums.error().message.c_str());
        const std::string wrong = judge_noise(*sums);
        QVERIFY2(wrong.empty(), wrong.c_str());
    }

    // A path that rounds once more than it must is told from one that does not.
    void a_noisier_model_is_seen() {
        if (!cpu_path("reference")) QSKIP("this build has no reference path");
        const auto made = make_tiny_model(recipes_[3], DType::bf16);
        KernelPath coarse = *cpu_path("reference");
        coarse.down = [exact = coarse.down](const DownArgs& args, Stream& stream) -> Status {
            LOCKSTEP_TRY(exact(args, stream));
            for (int64_t i = 0; i < args.hidden.numel(); ++i)
                args.hidden.as<uint16_t>()[i] &= 0xfffe;
            return {};
        };
        const auto sums = noise(3, made, coarse);
        QVERIFY2(sums, sums ? "" : sums.error().message.c_str());
        QVERIFY(!judge_noise(*sums).empty());
    }

    // Fused may keep more precision than the reference, never less: over the whole model, each path
    // feeding itself.
    void fused_keeps_to_truth_data() { rows_of_models_and_lengths(); }
    void fused_keeps_to_truth() {
        QFETCH(size_t, index);
        QFETCH(size_t, entry);
        if (!cpu_path("fused") || !cpu_path("reference")) QSKIP("this build has no fused path");
        const Golden golden = read_golden(golden_, model(index), model(index)["cases"][entry]);
        const auto made = make_tiny_model(recipes_[index], DType::bf16);
        const auto truth = run_model(made, *cpu_path("truth"), golden.ids);
        const auto reference = run_model(made, *cpu_path("reference"), golden.ids);
        const auto fused = run_model(made, *cpu_path("fused"), golden.ids);
        QVERIFY(truth && reference);
        QVERIFY2(fused, fused ? "" : fused.error().message.c_str());
        const auto rows = static_cast<int64_t>(golden.ids.size());
        const auto view = [&](const std::vector<float>& values) {
            return Tensor(const_cast<float*>(values.data()), DType::f32,
                          {rows, static_cast<int64_t>(values.size()) / rows});
        };
        for (size_t layer = 0; layer < truth->hidden.size(); ++layer) {
            const Verdict verdict =
                judge(view(fused->hidden[layer]), view(reference->hidden[layer]),
                      view(truth->hidden[layer]), DType::bf16);
            QVERIFY2(!verdict.diverged,
                     (std::to_string(layer) + ": " + verdict.part + ": " + verdict.reason).c_str());
        }
        const Verdict verdict =
            judge(view(fused->logits), view(reference->logits), view(truth->logits), DType::bf16);
        QVERIFY2(!verdict.diverged, ("logits: " + verdict.part + ": " + verdict.reason).c_str());
    }
};

QTEST_APPLESS_MAIN(TestTinyModels)
#include "tst_tiny_models.moc"
