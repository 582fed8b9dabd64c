// SPDX-License-Identifier: GPL-3.0-or-later
// Whole models on the GPU: each path against the CPU's truth, the inspector's comparison, recorded
// decode steps, and memory that comes back.
#include <QTest>
#include <cmath>
#include <map>

#include "core/base/json.h"
#include "core/base/random.h"
#include "core/inspect/fault.h"
#include "core/inspect/inspection.h"
#include "core/model/model_copy.h"
#include "core/run/forward.h"
#include "core/run/path_choice.h"
#include "kernels/gpu_info.h"
#include "tests/support/model_run.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

std::vector<int32_t> some_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

TinyRecipe recipe(bool bias) {
    TinyRecipe made = byte_recipe();
    made.config.qkv_bias = bias;
    return made;
}

const KernelPath& path_of(DeviceKind device, const char* name) {
    return *find_kernel_path(device, name);
}

std::vector<float> values_of(const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = element(tensor, static_cast<int64_t>(i));
    return values;
}

// The prompt's logits, then those of each decode step.
Result<std::vector<std::vector<float>>> logits_of(const std::shared_ptr<const Model>& model,
                                                  const KernelPath& path, size_t prompt,
                                                  size_t decode) {
    const auto ids = some_ids(prompt + decode, model->config.vocab_size);
    LOCKSTEP_ASSIGN(const auto session,
                    Session::create(model, device_of(*model), 2, static_cast<int64_t>(ids.size())));
    std::vector<std::vector<float>> all;
    ForwardOptions options;
    options.all_logits = true;
    LOCKSTEP_ASSIGN(const Tensor first,
                    Forward::run(*session, path, std::span(ids).first(prompt), options));
    all.push_back(values_of(first));
    for (size_t i = prompt; i < ids.size(); ++i) {
        LOCKSTEP_ASSIGN(const Tensor next,
                        Forward::run(*session, path, std::span(ids).subspan(i, 1), options));
        all.push_back(values_of(next));
    }
    return all;
}

double rms_error(const std::vector<std::vector<float>>& a,
                 const std::vector<std::vector<float>>& b) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < b.size(); ++i) {
        for (size_t j = 0; j < b[i].size(); ++j) {
            const double error = static_cast<double>(a[i][j]) - b[i][j];
            sum += error * error;
            ++count;
        }
    }
    return std::isfinite(sum) ? std::sqrt(sum / count) : HUGE_VAL;
}

// Greedy tokens; `toggle` names the path of every token from the tenth on.
Result<std::vector<int32_t>> generate(Session& session, LivePath& live, bool replay, int count,
                                      const char* toggle = nullptr) {
    std::vector<int32_t> tokens = some_ids(20, session.model().config.vocab_size);
    session.truncate(0);
    std::span<const int32_t> next = tokens;
    for (int i = 0; i < count; ++i) {
        if (toggle && i == 10) LOCKSTEP_TRY(live.set(PathChoice(toggle)));
        const LivePath::Current current = live.current();
        ForwardOptions options;
        options.replay_key = replay ? current.version : 0;
        LOCKSTEP_ASSIGN(const Tensor logits, Forward::run(session, *current.path, next, options));
        const float* row = logits.as<const float>();
        tokens.push_back(static_cast<int32_t>(std::max_element(row, row + logits.numel()) - row));
        next = std::span<const int32_t>(tokens).last(1);
    }
    return tokens;
}

}  // namespace

class TestGpuModels : public QObject {
    Q_OBJECT
    Device* gpu_ = nullptr;

    std::shared_ptr<const Model> on_gpu(const std::shared_ptr<Model>& model) {
        auto copy = copy_model(*model, *gpu_);
        return copy ? *copy : nullptr;
    }

    // Of each layer's hidden (the embedding first) and, last, the logits, against the CPU's truth:
    // the inputs are make_tiny.py's.
    std::vector<ErrorSum> errors_of(const TinyRecipe& recipe, const KernelPath& path) {
        const auto exact = make_tiny_model(recipe, DType::f32);
        const auto model = on_gpu(make_tiny_model(recipe, DType::bf16));
        std::vector<ErrorSum> sums(static_cast<size_t>(recipe.config.num_hidden_layers) + 2);
        for (const size_t length : {1u, 2u, 17u, 130u}) {
            Random random(recipe.seed * 1000 + 999);
            std::vector<int32_t> ids(length);
            for (int32_t& id : ids) {
                id = static_cast<int32_t>(random.next() %
                                          static_cast<uint64_t>(recipe.config.vocab_size));
            }
            const auto truth = run_model(exact, path_of(DeviceKind::cpu, "truth"), ids);
            const auto own = run_model(model, path, ids);
            if (!truth || !own) return {};
            for (size_t layer = 0; layer + 1 < sums.size(); ++layer)
                sums[layer].add(own->hidden[layer], truth->hidden[layer]);
            sums.back().add(own->logits, truth->logits);
        }
        return sums;
    }

    CompareRequest request_of(const std::shared_ptr<const Model>& model, const KernelPath& path) {
        CompareRequest request;
        request.model = model;
        request.prompts = {some_ids(37, model->config.vocab_size)};
        request.decode_steps = 3;
        request.candidate = path;
        request.reference = request.floor = path_of(DeviceKind::cuda, "reference");
        request.truth = path_of(DeviceKind::cuda, "truth");
        return request;
    }

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
    }

    void every_path_computes_the_model_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<int>("dtype");
        QTest::addColumn<bool>("bias");
        for (const char* path : {"truth", "reference", "fused"}) {
            for (DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                for (bool bias : {false, true})
                    QTest::addRow("%s %s%s", path, dtype_info(dtype).name.data(),
                                  bias ? " bias" : "")
                        << path << static_cast<int>(dtype) << bias;
            }
        }
    }
    void every_path_computes_the_model() {
        QFETCH(QString, path);
        QFETCH(int, dtype);
        QFETCH(bool, bias);
        const std::string name = path.toStdString();
        const auto model = make_tiny_model(recipe(bias), static_cast<DType>(dtype));
        const auto copy = on_gpu(model);
        QVERIFY(copy);
        for (size_t prompt : {1u, 3u, 40u, 200u}) {
            const auto truth = logits_of(model, path_of(DeviceKind::cpu, "truth"), prompt, 4);
            const auto floor = logits_of(model, path_of(DeviceKind::cpu, "reference"), prompt, 4);
            const auto own = logits_of(copy, path_of(DeviceKind::cuda, name.c_str()), prompt, 4);
            QVERIFY(truth && floor);
            QVERIFY2(own, own ? "" : own.error().message.c_str());
            const double error = rms_error(*own, *truth), allowed = rms_error(*floor, *truth);
            qInfo("%s prompt %zu: RMS error %.3g, the CPU reference's %.3g", name.c_str(), prompt,
                  error, allowed);
            QVERIFY(error <= 1.5 * allowed + 1e-5);
        }
    }

    // Over the inputs of the golden (tests/golden/model/make_tiny_cuda.py): transformers' own bf16
    // run on a GPU is as far from float32, in each layer, as its entry says.
    void reference_is_no_noisier_than_transformers_on_a_gpu_data() {
        QTest::addColumn<size_t>("index");
        const auto recipes = read_tiny_recipes();
        QVERIFY2(recipes, recipes ? "" : recipes.error().message.c_str());
        for (size_t index = 0; index < recipes->size(); ++index)
            QTest::newRow((*recipes)[index].name.c_str()) << index;
    }
    void reference_is_no_noisier_than_transformers_on_a_gpu() {
        QFETCH(size_t, index);
        const std::filesystem::path file = tests_file("golden/model/tiny_cuda.json");
        if (!std::filesystem::exists(file)) QSKIP("make_tiny_cuda.py has not been run yet");
        const auto golden = read_json_file(file);
        QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
        const Json& theirs = (*golden)["models"][index];
        const TinyRecipe made = (*read_tiny_recipes())[index];
        QCOMPARE(theirs["name"].get<std::string>(), made.name);
        const std::vector<ErrorSum> ours = errors_of(made, path_of(DeviceKind::cuda, "reference"));
        QCOMPARE(ours.size(), theirs["rms"].size());
        for (size_t place = 1; place < ours.size(); ++place) {  // the embedding is exact
            const double rms = ours[place].rms() / theirs["rms"][place].get<double>();
            const double max = ours[place].max() / theirs["max"][place].get<double>();
            qInfo("place %zu: RMS error %.3f, largest error %.3f times those of transformers",
                  place, rms, max);
            QVERIFY(rms <= 1.1 && max <= 2);
        }
    }
    // The check above sees a path that rounds once more than it must.
    void a_noisier_path_is_seen() {
        KernelPath coarse = path_of(DeviceKind::cuda, "reference");
        coarse.down = [exact = coarse.down](const DownArgs& args, Stream& stream) -> Status {
            LOCKSTEP_TRY(exact(args, stream));
            std::vector<uint16_t> values(static_cast<size_t>(args.hidden.numel()));
            const size_t bytes = values.size() * 2;
            LOCKSTEP_TRY(
                stream.device().copy_to_host(values.data(), args.hidden.data, bytes, stream));
            LOCKSTEP_TRY(stream.synchronize());
            for (uint16_t& value : values) value &= 0xfffe;
            return stream.device().copy_from_host(args.hidden.data, values.data(), bytes, stream);
        };
        const TinyRecipe made = (*read_tiny_recipes())[3];
        const auto honest = errors_of(made, path_of(DeviceKind::cuda, "reference"));
        const auto noisy = errors_of(made, coarse);
        QVERIFY(noisy.back().rms() > 1.1 * honest.back().rms());
    }

    void fused_matches_the_reference_in_a_comparison_data() {
        QTest::addColumn<int>("dtype");
        QTest::newRow("bf16") << static_cast<int>(DType::bf16);
        QTest::newRow("f16") << static_cast<int>(DType::f16);
        // Reference and truth are one computation here: the noise floor is none, and what honest
        // rounding costs is known by nudged_runs.h alone.
        QTest::newRow("f32") << static_cast<int>(DType::f32);
    }
    void fused_matches_the_reference_in_a_comparison() {
        QFETCH(int, dtype);
        const auto copy = on_gpu(make_tiny_model(recipe(true), static_cast<DType>(dtype)));
        QVERIFY(copy);
        for (const char* path : {"fused", "truth"}) {
            const auto compared = compare_paths(request_of(copy, path_of(DeviceKind::cuda, path)));
            QVERIFY2(compared, compared ? "" : compared.error().message.c_str());
            QVERIFY2(!compared->diverged(), compared->first
                                                ? (std::string(step_name(compared->first->step)) +
                                                   " " + compared->first->tensor + " layer " +
                                                   std::to_string(compared->first->layer))
                                                      .c_str()
                                                : "");
            QVERIFY(!compared->drift_unexplained);
            QCOMPARE(compared->passes.size(), size_t{4});
        }
    }

    // Seven query heads to a key head, and so many keys that attention's shares of the cache are as
    // large as they get: of many rows, of four, of one.
    void attends_to_four_thousand_keys_data() {
        QTest::addColumn<int>("dtype");
        for (DType dtype : {DType::f32, DType::bf16})
            QTest::newRow(dtype_info(dtype).name.data()) << static_cast<int>(dtype);
    }
    void attends_to_four_thousand_keys() {
        QFETCH(int, dtype);
        TinyRecipe made = recipe(true);
        made.config.num_attention_heads = 14;
        made.config.num_key_value_heads = 2;
        made.config.head_dim = 64;
        made.config.max_position_embeddings = 8192;
        const auto model = on_gpu(make_tiny_model(made, static_cast<DType>(dtype)));
        QVERIFY(model);
        const auto ids = some_ids(4005, made.config.vocab_size);
        std::map<std::string, std::vector<std::vector<float>>> all;
        for (const char* path : {"truth", "reference", "fused"}) {
            auto session = Session::create(model, *gpu_, 0, 4096);
            QVERIFY(session);
            std::span<const int32_t> rest = ids;
            for (const size_t rows : {2000u, 2000u, 4u, 1u}) {
                const auto logits =
                    Forward::run(**session, path_of(DeviceKind::cuda, path), rest.first(rows), {});
                QVERIFY2(logits, logits ? "" : logits.error().message.c_str());
                all[path].push_back(values_of(*logits));
                rest = rest.subspan(rows);
            }
        }
        const double error = rms_error(all["fused"], all["truth"]);
        const double floor = rms_error(all["reference"], all["truth"]);
        qInfo("RMS error %.3g, the reference's %.3g", error, floor);
        QVERIFY(error <= 1.5 * floor + 1e-5);
    }

    // The comparison on a GPU sees a fault, and where; the diagnosis names it.
    void a_planted_fault_is_found_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<int>("step");
        QTest::newRow("k_bias_dropped")
            << "k_bias_dropped@layer=1" << static_cast<int>(StepId::qkv);
        QTest::newRow("rope_interleaved")
            << "rope_interleaved@layer=0" << static_cast<int>(StepId::qkv);
    }
    void a_planted_fault_is_found() {
        QFETCH(QString, fault);
        QFETCH(int, step);
        const auto copy = on_gpu(make_tiny_model(recipe(true), DType::bf16));
        QVERIFY(copy);
        const auto layers = static_cast<int>(copy->config.num_hidden_layers);
        const auto spec = parse_fault(fault.toStdString(), layers);
        QVERIFY2(spec, spec ? "" : spec.error().message.c_str());
        const auto wrong = plant_fault(path_of(DeviceKind::cuda, "fused"), *spec, copy);
        QVERIFY2(wrong, wrong ? "" : wrong.error().message.c_str());
        const auto inspected = inspect(request_of(copy, *wrong));
        QVERIFY2(inspected, inspected ? "" : inspected.error().message.c_str());
        QVERIFY(inspected->comparison.diverged());
        QCOMPARE(inspected->comparison.first->layer, spec->layer);
        QCOMPARE(static_cast<int>(inspected->comparison.first->step), step);
        QVERIFY(inspected->step.has_value());
    }

    void recorded_decode_gives_the_same_tokens_data() {
        QTest::addColumn<bool>("bias");
        QTest::addColumn<int>("count");
        QTest::newRow("few") << true << 4;  // for compute-sanitizer's slowest tool (run_sanitizers)
        QTest::newRow("many") << false << 60;
    }
    void recorded_decode_gives_the_same_tokens() {
        QFETCH(bool, bias);
        QFETCH(int, count);
        const auto copy = on_gpu(make_tiny_model(recipe(bias), DType::bf16));
        auto session = Session::create(copy, *gpu_, 0, 128);
        QVERIFY(session);
        LivePath live;
        QVERIFY(live.set_device(DeviceKind::cuda));
        const auto called = generate(**session, live, false, count);
        const auto replayed = generate(**session, live, true, count);
        QVERIFY2(called, called ? "" : called.error().message.c_str());
        QVERIFY2(replayed, replayed ? "" : replayed.error().message.c_str());
        QCOMPARE(*replayed, *called);
        QCOMPARE(*generate(**session, live, true, count), *called);
    }

    // A toggle in the middle of an answer: recorded anew, and the tokens are those of calling.
    void a_toggle_is_recorded_anew() {
        const auto copy = on_gpu(make_tiny_model(recipe(false), DType::bf16));
        auto session = Session::create(copy, *gpu_, 0, 128);
        QVERIFY(session);
        for (const char* other : {"reference", "truth"}) {
            std::vector<int32_t> tokens[2];
            for (bool replay : {false, true}) {
                LivePath live;
                QVERIFY(live.set_device(DeviceKind::cuda));
                (*session)->stream().forget_replays();
                const auto made = generate(**session, live, replay, 40, other);
                QVERIFY2(made, made ? "" : made.error().message.c_str());
                tokens[replay] = *made;
            }
            QCOMPARE(tokens[1], tokens[0]);
        }
    }

    void sessions_give_their_memory_back() {
        const auto copy = on_gpu(make_tiny_model(recipe(false), DType::bf16));
        LivePath live;
        QVERIFY(live.set_device(DeviceKind::cuda));
        size_t free = 0;
        for (int i = 0; i < 20; ++i) {
            auto session = Session::create(copy, *gpu_, 0, 512);
            QVERIFY(session);
            QVERIFY(generate(**session, live, true, 20));
            session->reset();
            if (i == 1) free = gpu_->free_memory();
        }
        QVERIFY(gpu_->free_memory() + (size_t{4} << 20) >= free);
    }

    void a_session_belongs_on_its_models_device() {
        const auto model = make_tiny_model(recipe(false), DType::bf16);
        QVERIFY(!Session::create(model, *gpu_, 0, 16));
        QVERIFY(!Session::create(on_gpu(model), cpu_device(), 0, 16));
    }
};

QTEST_APPLESS_MAIN(TestGpuModels)
#include "tst_gpu_models.moc"
