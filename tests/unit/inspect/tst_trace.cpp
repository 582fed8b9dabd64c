// SPDX-License-Identifier: GPL-3.0-or-later
// Traces: written to the documented format, read without trust, and judged on their own inputs.
#include <QtTest>
#include <cmath>
#include <functional>
#include <set>

#include "core/base/output_file.h"
#include "core/inspect/inspection.h"
#include "core/inspect/trace.h"
#include "core/inspect/trace_writer.h"
#include "core/model/safetensors.h"
#include "core/model/safetensors_writer.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

const KernelPath& path(const std::string& name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

TinyRecipe recipe_named(const char* name) {
    const auto recipes = read_tiny_recipes();
    for (const TinyRecipe& recipe : *recipes) {
        if (recipe.name == name) return recipe;
    }
    return {};
}

const std::vector<int32_t> prompt{3, 14, 15, 92, 65, 35, 89};

// A trace's tensors and metadata, to be changed and written again.
struct TraceFile {
    std::map<std::string, std::string> metadata;
    struct Stored {
        DType dtype;
        std::vector<int64_t> shape;
        std::string bytes;
    };
    std::map<std::string, Stored> tensors;

    static TraceFile read(const std::filesystem::path& file) {
        TraceFile trace;
        const auto mapped = MappedFile::open(file);
        trace.metadata = *read_safetensors_metadata(*mapped);
        const auto stored = read_safetensors(*mapped);
        for (const StoredTensor& tensor : *stored) {
            trace.tensors[tensor.name] = {
                *tensor.dtype, tensor.shape,
                std::string(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size())};
        }
        return trace;
    }

    void write(const std::filesystem::path& file) const {
        std::vector<TensorToWrite> all;
        for (const auto& [name, stored] : tensors) {
            const std::string& bytes = stored.bytes;
            all.push_back({name, stored.dtype, stored.shape, [&bytes](std::span<std::byte> to) {
                               std::memcpy(to.data(), bytes.data(), to.size());
                               return Status();
                           }});
        }
        QVERIFY(write_safetensors(file, all, metadata).has_value());
    }

    // Stored in another dtype.
    void convert(DType dtype) {
        for (auto& [name, stored] : tensors) {
            const auto count =
                static_cast<int64_t>(stored.bytes.size()) / dtype_bytes(stored.dtype, 1);
            std::string bytes(static_cast<size_t>(dtype_bytes(dtype, count)), '\0');
            for (int64_t i = 0; i < count; ++i)
                store_element(bytes.data(), dtype, i,
                              load_element(stored.bytes.data(), stored.dtype, i));
            stored = {dtype, stored.shape, bytes};
        }
    }
};

// The path with one step changed in one layer and only where `when` says so.
template <class Args>
KernelPath with_wrong(KernelPath base, StepFunction<Args> KernelPath::*step, int layer,
                      const std::function<void(Args&)>& change) {
    const StepFunction<Args> honest = base.*step;
    base.*step = [honest, layer, change](const Args& args, Stream& stream) {
        Args changed = args;
        if (args.context.layer == layer) change(changed);
        return honest(changed, stream);
    };
    return base;
}

std::string place(const Comparison& comparison) {
    if (!comparison.first) return "match";
    const Divergence& first = *comparison.first;
    return "pass " + std::to_string(first.pass) + " layer " + std::to_string(first.layer) + " " +
           std::string(step_name(first.step)) + " " + first.tensor;
}

}  // namespace

using Change = std::function<void(TraceFile&)>;
Q_DECLARE_METATYPE(Change)
Q_DECLARE_METATYPE(KernelPath)

class TestTrace : public QObject {
    Q_OBJECT
    std::shared_ptr<Model> model_;
    QTemporaryDir folder_;

    std::filesystem::path file(const char* name = "t.safetensors") const {
        return folder_.filePath(name).toStdString();
    }
    // Writes file() with this path and three decode steps.
    void capture(const KernelPath& wanted, const std::shared_ptr<const Model>& model,
                 std::vector<int32_t> forced = {}) const {
        TraceRequest request;
        request.model = model;
        request.threads = 2;
        request.prompt = prompt;
        request.path = wanted;
        request.decode_steps = 3;
        request.decode_ids = std::move(forced);
        const auto written = write_trace(request, file());
        QVERIFY2(written.has_value(), written ? "" : written.error().message.c_str());
    }
    static CompareRequest request_of(const std::shared_ptr<const Model>& model,
                                     const std::shared_ptr<const Trace>& trace) {
        CompareRequest request;
        request.model = model;
        request.threads = 2;
        request.trace = trace;
        request.candidate.name = "trace";
        request.reference = request.floor = path("reference");
        request.truth = path("truth");
        return request;
    }
    Result<Comparison> judge_file(const std::shared_ptr<const Model>& model) const {
        LOCKSTEP_ASSIGN(const std::shared_ptr<const Trace> trace, Trace::open(file()));
        return compare_paths(request_of(model, trace));
    }
    // What is wrong with file(), or "match" and the like.
    std::string outcome(const std::shared_ptr<const Model>& model) const {
        const auto result = judge_file(model);
        return result ? place(*result) : "error: " + result.error().message;
    }

  private Q_SLOTS:
    void initTestCase() {
        model_ = make_tiny_model(recipe_named("qwen2-gqa7-tied"), DType::bf16);
        QVERIFY(model_);
    }

    void names_are_read_as_they_are_written_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("known");
        const auto row = [](const char* name, bool known) { QTest::newRow(name) << name << known; };
        for (const char* name :
             {"pass.0.embed.hidden", "pass.12.logits", "pass.1.normed", "pass.0.layers.0.normed",
              "pass.0.layers.29.normed_attn", "pass.0.layers.3.q", "pass.0.layers.3.k_pre_rope",
              "pass.7.layers.3.attn", "pass.7.layers.3.mlp", "pass.7.layers.3.hidden_attn"})
            row(name, true);
        for (const char* name :
             {"", "pass", "pass.", "pass.0", "pass.0.", "pass.x.logits", "pass.-1.logits",
              "pass.00.logits", "pass.01.logits", "pass.99999999999.logits", "pass.0.logits.",
              "pass.0.layers.q", "pass.0.layers.0.", "pass.0.layers.0.what",
              "pass.0.layers.0.logits", "pass.0.hidden", "model.layers.0.q", "pass.0.layers.0.q.0",
              "passe.0.logits"})
            row(name, false);
    }
    void names_are_read_as_they_are_written() {
        QFETCH(QString, name);
        QFETCH(bool, known);
        const auto found = parse_trace_name(name.toStdString());
        QCOMPARE(found.has_value(), known);
        if (found)
            QCOMPARE(QString::fromStdString(
                         trace_name(found->pass, found->layer, found->step, found->tap)),
                     name);
    }

    void a_trace_holds_every_tap_in_its_shape() {
        capture(path("reference"), model_);
        const TraceFile trace = TraceFile::read(file());
        const std::map<std::string, std::vector<int64_t>> expected{
            {"pass.0.embed.hidden", {7, 100}},
            {"pass.0.layers.1.normed", {7, 100}},
            {"pass.0.layers.1.q_pre_rope", {7, 7, 32}},
            {"pass.0.layers.1.k_pre_rope", {7, 1, 32}},
            {"pass.0.layers.1.q", {7, 7, 32}},
            {"pass.0.layers.1.k", {7, 1, 32}},
            {"pass.0.layers.1.v", {7, 1, 32}},
            {"pass.0.layers.1.attn", {7, 224}},
            {"pass.0.layers.1.hidden_attn", {7, 100}},
            {"pass.0.layers.1.normed_attn", {7, 100}},
            {"pass.0.layers.1.mlp", {7, 172}},
            {"pass.0.layers.1.hidden", {7, 100}},
            {"pass.0.normed", {7, 100}},
            {"pass.0.logits", {7, 203}},
            {"pass.3.layers.0.k", {1, 1, 32}},
            {"pass.3.logits", {1, 203}}};
        for (const auto& [name, shape] : expected) {
            QVERIFY2(trace.tensors.contains(name), name.c_str());
            QCOMPARE(trace.tensors.at(name).shape, shape);
        }
        QCOMPARE(trace.tensors.size(), size_t{4 * (1 + 2 * 11 + 2)});
        QCOMPARE(trace.metadata.at("prompt_ids"), std::string("[3,14,15,92,65,35,89]"));
        QCOMPARE(trace.metadata.at("model"), std::string("qwen2-gqa7-tied"));
        QCOMPARE(trace.metadata.at("path"), std::string("reference"));
        QCOMPARE(trace.metadata.at("dtype"), std::string("bf16"));
        // No two layers or passes hold the same.
        std::set<std::string> seen;
        for (const auto& [name, stored] : trace.tensors) {
            if (name.ends_with(".hidden") && name.find("layers") != name.npos)
                QVERIFY2(seen.insert(stored.bytes).second, name.c_str());
        }
    }

    void an_honest_trace_matches_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<DType>("dtype");
        QTest::addColumn<DType>("stored");
        for (const KernelPath& each : kernel_paths(DeviceKind::cpu)) {
            for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                const std::string row = each.name + " " + std::string(dtype_info(dtype).name);
                QTest::newRow(row.c_str()) << QString::fromStdString(each.name) << dtype
                                           << (each.f32_activations ? DType::f32 : dtype);
            }
        }
        QTest::newRow("bf16 stored in F32") << "fused" << DType::bf16 << DType::f32;
        QTest::newRow("bf16 stored in F16") << "fused" << DType::bf16 << DType::f16;
        QTest::newRow("fp16 stored in F32") << "fused" << DType::f16 << DType::f32;
    }
    void an_honest_trace_matches() {
        QFETCH(QString, name);
        QFETCH(DType, dtype);
        QFETCH(DType, stored);
        for (const char* recipe : {"qwen2-gqa7-tied", "llama-gqa3-llama3"}) {
            const auto model = make_tiny_model(recipe_named(recipe), dtype);
            capture(path(name.toStdString()), model);
            TraceFile trace = TraceFile::read(file());
            trace.convert(stored);
            trace.write(file());
            QCOMPARE(outcome(model), std::string("match"));
        }
    }

    // The step that is wrong is named, and only it: what follows is judged on what it was given.
    void a_wrong_step_is_found_data() {
        QTest::addColumn<KernelPath>("wrong");
        QTest::addColumn<QString>("where");
        for (const std::string base : {"reference", "fused"}) {
            const auto row = [&](const char* name, const KernelPath& wrong, const char* where) {
                QTest::newRow((base + ": " + name).c_str()) << wrong << where;
            };
            row("k's bias dropped",
                with_wrong<QkvArgs>(path(base), &KernelPath::qkv, 1,
                                    [](QkvArgs& args) { args.k_bias = Tensor(); }),
                "pass 0 layer 1 qkv k");
            row("scale of attention, decoding only",
                with_wrong<AttentionArgs>(path(base), &KernelPath::attention, 0,
                                          [](AttentionArgs& args) {
                                              if (args.q.shape[0] == 1) args.scale *= 1.5f;
                                          }),
                "pass 1 layer 0 attention attn");
            row("eps of the second norm",
                with_wrong<GateUpArgs>(path(base), &KernelPath::gate_up, 0,
                                       [](GateUpArgs& args) { args.rms_norm_eps = 3; }),
                "pass 0 layer 0 gate_up mlp");
            row("eps of the last norm",
                with_wrong<LogitsArgs>(path(base), &KernelPath::logits, 2,
                                       [](LogitsArgs& args) { args.rms_norm_eps = 3; }),
                "pass 0 layer 2 logits logits");
        }
    }
    void a_wrong_step_is_found() {
        QFETCH(KernelPath, wrong);
        QFETCH(QString, where);
        capture(wrong, model_);
        const auto result = judge_file(model_);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(QString::fromStdString(place(*result)), where);
        int guilty = 0;
        for (const LayerComparison& layer : worst_layers(*result)) {
            for (const StepComparison& step : layer.steps) {
                const bool bad =
                    std::any_of(step.taps.begin(), step.taps.end(),
                                [](const TapComparison& tap) { return tap.verdict.diverged; });
                guilty += bad;
            }
        }
        QCOMPARE(guilty, 1);
    }

    // A fault in what one pass left for the next: found where the cache is used.
    void a_cache_row_that_changed_between_passes_is_found() {
        KernelPath wrong = path("reference");
        const StepFunction<AttentionArgs> honest = wrong.attention;
        wrong.attention = [honest](const AttentionArgs& args, Stream& stream) {
            if (args.context.layer == 1 && args.context.first_row == 8) {
                for (int64_t i = 0; i < args.v_cache.stride[0]; ++i)
                    store_element(args.v_cache.data, args.v_cache.dtype, i, 5);
            }
            return honest(args, stream);
        };
        capture(wrong, model_);
        QCOMPARE(outcome(model_), std::string("pass 2 layer 1 attention attn"));
    }

    void inspect_opens_and_diagnoses_a_trace() {
        capture(with_wrong<QkvArgs>(path("reference"), &KernelPath::qkv, 1,
                                    [](QkvArgs& args) { args.k_bias = Tensor(); }),
                model_);
        const CompareRequest request = request_of(model_, *Trace::open(file()));
        const auto found = inspect(request);
        QVERIFY2(found.has_value(), found ? "" : found.error().message.c_str());
        QVERIFY(found->step && found->diagnosis);
        QCOMPARE(found->diagnosis->causes.front().cause, std::string("k_bias_dropped"));
        // Opened again, it is the same: the trace's k against the reference's and truth's.
        const auto again = reopen_step(request, *found->comparison.first);
        QVERIFY2(again.has_value(), again ? "" : again.error().message.c_str());
        const auto k_of = [](const SampleStep& run) {
            return step_taps(run.args, false)[1].tensor;
        };
        const StepRuns &runs = again->runs, &kept = found->step->runs;
        QVERIFY(judge(k_of(runs.candidate), k_of(runs.reference), k_of(runs.truth), DType::bf16)
                    .diverged);
        QCOMPARE(compare_tensors(k_of(runs.candidate), k_of(kept.candidate)).max_abs, 0.0);
        QCOMPARE(compare_tensors(k_of(runs.truth), k_of(kept.truth)).max_abs, 0.0);
    }

    void what_a_trace_lacks_is_skipped_and_listed() {
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        for (const char* tap : {"attn", "k"}) {
            for (int pass = 0; pass < 4; ++pass)
                trace.tensors.erase("pass." + std::to_string(pass) + ".layers.1." + tap);
        }
        trace.tensors.erase("pass.2.embed.hidden");
        trace.tensors.erase("pass.1.logits");
        trace.write(file());
        const auto result = judge_file(model_);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        QCOMPARE(place(*result), std::string("match"));
        QCOMPARE(result->missing,
                 (std::vector<std::string>{"embed.hidden in pass 2", "k of layer 1 in passes 0-3",
                                           "attn of layer 1 in passes 0-3", "logits in pass 1"}));
        const StepComparison& attention = result->passes[0].layers[2].steps[1];
        QVERIFY(attention.taps.empty());
        QCOMPARE(attention.only_in_one, std::vector<std::string>{"attn"});
        QCOMPARE(attention.computed_inputs, std::vector<std::string>{"k"});
        QCOMPARE(result->passes[0].layers[2].steps[2].computed_inputs,
                 std::vector<std::string>{"attn"});
    }

    // Somebody who only hooks the decoder layers still learns which one is wrong.
    void hidden_states_alone_tell_the_layer() {
        for (const bool wrong : {false, true}) {
            capture(wrong ? with_wrong<QkvArgs>(path("fused"), &KernelPath::qkv, 1,
                                                [](QkvArgs& args) { args.k_bias = Tensor(); })
                          : path("fused"),
                    model_);
            TraceFile trace = TraceFile::read(file());
            std::erase_if(trace.tensors,
                          [](const auto& entry) { return !entry.first.ends_with(".hidden"); });
            trace.write(file());
            QCOMPARE(outcome(model_), std::string(wrong ? "pass 0 layer 1 down hidden" : "match"));
        }
    }

    void tokens_of_decode_steps_come_from_the_logits_where_nothing_else_says() {
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        const std::string said = trace.metadata["decode_ids"];
        trace.metadata.erase("decode_ids");
        trace.write(file());
        const auto opened = Trace::open(file());
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
        QCOMPARE(Json((*opened)->decode_ids()).dump(), said);
        QCOMPARE(outcome(model_), std::string("match"));
    }

    void forced_ids_are_fed_and_written() {
        capture(path("fused"), model_, {9, 8, 7});
        QCOMPARE(TraceFile::read(file()).metadata.at("decode_ids"), std::string("[9,8,7]"));
        QCOMPARE(outcome(model_), std::string("match"));
    }

    void only_as_many_decode_steps_as_asked_for() {
        capture(path("fused"), model_);
        CompareRequest request = request_of(model_, *Trace::open(file()));
        request.decode_steps = 1;
        QCOMPARE(compare_paths(request)->passes.size(), size_t{2});
        request.decode_steps = 4;
        const auto refused = compare_paths(request);
        QVERIFY(refused.error().message.find("has 3 decode steps, not 4") != std::string::npos);
    }

    void not_a_number_in_a_trace_is_divergence() {
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        auto& stored = trace.tensors.at("pass.0.layers.0.mlp");
        store_element(stored.bytes.data(), stored.dtype, 200, NAN);
        trace.write(file());
        QCOMPARE(outcome(model_), std::string("pass 0 layer 0 gate_up mlp"));
    }

    // tests/golden/trace/make.py: transformers' own layers, seen by hooks.
    void a_trace_of_transformers_is_judged() {
        const std::string folder = std::string(LOCKSTEP_SOURCE_DIR) + "/tests/golden/trace/";
        const auto inspected = [&](const char* name) {
            const auto trace = Trace::open(folder + name);
            return trace ? inspect(request_of(model_, *trace))
                         : Result<Inspection>(tl::unexpected<Error>(trace.error()));
        };
        const auto good = inspected("good.safetensors");
        QVERIFY2(good.has_value(), good ? "" : good.error().message.c_str());
        QCOMPARE(place(good->comparison), std::string("match"));
        QVERIFY(good->comparison.missing.empty());
        QCOMPARE(good->comparison.passes.size(), size_t{3});
        const auto wrong = inspected("no_k_bias.safetensors");
        QVERIFY2(wrong.has_value(), wrong ? "" : wrong.error().message.c_str());
        QCOMPARE(place(wrong->comparison), std::string("pass 0 layer 1 qkv k"));
        QCOMPARE(wrong->diagnosis->causes.front().cause, std::string("k_bias_dropped"));
    }

    void what_does_not_fit_is_refused_data();
    void what_does_not_fit_is_refused();
    void damaged_files_are_refused();
    void a_prompt_in_several_batches_is_judged_whole();
    void another_name_is_accepted_where_the_embeddings_agree();
};

void TestTrace::what_does_not_fit_is_refused_data() {
    QTest::addColumn<Change>("change");
    QTest::addColumn<QByteArray>("complaint");
    const auto row = [](const char* name, const Change& change, const char* complaint) {
        QTest::newRow(name) << change << QByteArray(complaint);
    };
    const auto set = [](const char* key, const char* value) -> Change {
        return [key, value](TraceFile& t) { t.metadata[key] = value; };
    };
    const auto reshape = [](const char* name, std::vector<int64_t> shape) -> Change {
        return [name, shape](TraceFile& t) {
            auto& stored = t.tensors[name];
            int64_t count = 1;
            for (const int64_t size : shape) count *= size;
            stored = {DType::bf16, shape, std::string(static_cast<size_t>(2 * count), '\0')};
        };
    };
    row(
        "no prompt_ids", [](TraceFile& t) { t.metadata.erase("prompt_ids"); },
        "metadata has no prompt_ids");
    row(
        "no dtype", [](TraceFile& t) { t.metadata.erase("dtype"); }, "metadata has no dtype");
    row("an unknown dtype", set("dtype", "int8"), "takes bf16, fp16 or fp32, not \"int8\"");
    row("another dtype", set("dtype", "fp16"), "coarser than the fp16");
    row("prompt_ids no JSON", set("prompt_ids", "[1,"), "metadata prompt_ids");
    row("prompt_ids no array", set("prompt_ids", "7"), "not a JSON array of token ids");
    row("prompt_ids with words", set("prompt_ids", "[\"a\"]"), "not a JSON array of token ids");
    row("prompt_ids negative", set("prompt_ids", "[-1]"), "not a JSON array of token ids");
    row("prompt_ids empty", set("prompt_ids", "[]"), "no tokens");
    row("another prompt's length", set("prompt_ids", "[1,2,3]"), "prompt_ids has 3 tokens");
    row("a larger vocabulary's token", set("prompt_ids", "[1,2,3,4,5,6,203]"),
        "of another model: token 203 is outside the vocabulary");
    row("too few decode_ids", set("decode_ids", "[1]"), "tensors of pass 3");
    row("a larger vocabulary's decode id", set("decode_ids", "[1,2,999]"), "token 999");
    row("more layers", reshape("pass.0.layers.2.hidden", {7, 100}),
        "of another model: tensor pass.0.layers.2.hidden: qwen2-gqa7-tied has the layers 0 to 1");
    row("other heads", reshape("pass.0.layers.0.q", {7, 14, 32}),
        "tensor pass.0.layers.0.q: its shape is [7, 14, 32], but qwen2-gqa7-tied makes [7, 7, 32]");
    row("flat heads", reshape("pass.0.layers.0.k", {7, 32}), "its shape is [7, 32]");
    row("a batch dimension", reshape("pass.0.layers.0.hidden", {1, 7, 100}), "[1, 7, 100]");
    row("another hidden_size", reshape("pass.0.embed.hidden", {7, 96}), "makes [7, 100]");
    row("rows of a decode step", reshape("pass.1.layers.0.mlp", {2, 172}), "makes [1, 172]");
    row("logits of some rows", reshape("pass.0.logits", {3, 203}), "makes [7, 203], or one row");
    row("no rows", reshape("pass.0.logits", {0, 203}), "its shape is [0, 203]");
    row("no dimensions", reshape("pass.0.layers.0.hidden", {}), "its shape is []");
    row(
        "no known tensor",
        [](TraceFile& t) {
            const auto one = t.tensors.begin()->second;
            t.tensors = {{"model.layers.0.hidden", one}};
        },
        "has a name of the format");
    row(
        "another model's embeddings",
        [](TraceFile& t) {
            t.metadata["model"] = "other";
            std::string& bytes = t.tensors.at("pass.0.embed.hidden").bytes;
            std::rotate(bytes.begin(), bytes.begin() + 2, bytes.end());
        },
        "of another model: it says it is of other, not qwen2-gqa7-tied");
    row(
        "another name and nothing that tells",
        [](TraceFile& t) {
            t.metadata["model"] = "other";
            t.tensors.erase("pass.0.embed.hidden");
        },
        "of another model?");
    row(
        "decode steps of unknown tokens",
        [](TraceFile& t) {
            t.metadata.erase("decode_ids");
            t.tensors.erase("pass.1.logits");
        },
        "pass.1.logits say which token that was fed");
    row(
        "nothing but what no path makes alike",
        [](TraceFile& t) {
            std::erase_if(t.tensors, [](const auto& entry) {
                return entry.first.find(".0.embed") == entry.first.npos;
            });
            t.tensors["pass.0.layers.0.normed"] = {
                DType::bf16, {7, 99}, std::string(7 * 99 * 2, 'x')};
        },
        "makes [7, 100]");
}

void TestTrace::what_does_not_fit_is_refused() {
    QFETCH(Change, change);
    QFETCH(QByteArray, complaint);
    capture(path("fused"), model_);
    TraceFile trace = TraceFile::read(file());
    change(trace);
    trace.write(file());
    const std::string said = outcome(model_);
    QVERIFY2(said.starts_with("error: trace " + file().string()), said.c_str());
    QVERIFY2(said.find(complaint.toStdString()) != std::string::npos, said.c_str());
    QVERIFY2(said.find('\n') == std::string::npos, said.c_str());
}

// Cut at every kind of place; a byte of the header changed. Never a crash, mostly an error.
void TestTrace::damaged_files_are_refused() {
    capture(path("fused"), model_);
    const auto mapped = MappedFile::open(file());
    const std::string whole(mapped->text());
    uint64_t header = 0;
    std::memcpy(&header, whole.data(), sizeof header);
    for (const size_t length : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, size_t(header) + 7,
                                size_t(header) + 8, whole.size() - 1}) {
        QVERIFY(
            write_whole_file(file("cut"), std::string_view(whole).substr(0, length)).has_value());
        const auto opened = Trace::open(file("cut"));
        QVERIFY2(!opened.has_value(), std::to_string(length).c_str());
        QVERIFY(opened.error().message.starts_with("trace: " + file("cut").string()));
    }
    QVERIFY(!Trace::open(file("none")).has_value());
    QVERIFY(!Trace::open(folder_.path().toStdString()).has_value());
    for (size_t at = 8; at < 8 + header; at += 13) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x11);
        QVERIFY(write_whole_file(file("changed"), changed).has_value());
        const auto opened = Trace::open(file("changed"));
        if (opened) (void)(*opened)->check_against(*model_);
    }
}

void TestTrace::a_prompt_in_several_batches_is_judged_whole() {
    TinyRecipe recipe = recipe_named("qwen2-gqa7-tied");
    recipe.config.max_position_embeddings = 1024;
    const auto model = make_tiny_model(recipe, DType::bf16);
    TraceRequest request;
    request.model = model;
    request.threads = 2;
    for (int i = 0; i < 600; ++i) request.prompt.push_back((i * 37 + 11) % 203);
    request.decode_steps = 1;
    request.path = with_wrong<QkvArgs>(path("fused"), &KernelPath::qkv, 1, [](QkvArgs& args) {
        if (args.context.first_row > 0 && args.hidden.shape[0] > 1) args.v_bias = Tensor();
    });
    QVERIFY(write_trace(request, file()).has_value());
    QCOMPARE(TraceFile::read(file()).tensors.at("pass.0.layers.1.v").shape[0], int64_t{600});
    const auto result = judge_file(model);
    QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
    QCOMPARE(place(*result), std::string("pass 0 layer 1 qkv v"));
    QVERIFY(result->first->position >= 512);
    QVERIFY(!result->passes.front().diverged());
    QVERIFY(result->missing.empty());
}

void TestTrace::another_name_is_accepted_where_the_embeddings_agree() {
    capture(path("fused"), model_);
    TraceFile trace = TraceFile::read(file());
    trace.metadata["model"] = "somebody/Else's name";
    trace.write(file());
    QCOMPARE(outcome(model_), std::string("match"));
}

QTEST_APPLESS_MAIN(TestTrace)
#include "tst_trace.moc"
