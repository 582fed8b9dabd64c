// SPDX-License-Identifier: GPL-3.0-or-later
// Traces are judged on their own inputs: by what they have, wherever it was captured.
#include "core/inspect/report.h"
#include "tests/support/state_faults.h"
#include "tests/unit/inspect/trace_fixture.h"

using namespace lockstep;
using namespace lockstep::test;

Q_DECLARE_METATYPE(KernelPath)

class TestTraceComparison : public QObject, private TraceFixture {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase() { QVERIFY(model_); }

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

    // The same where the trace has neither keys nor values: the way to attn is judged.
    void a_cache_row_that_changed_is_found_without_keys_and_values() {
        capture(with_overwritten_row(path("reference"), 1), model_);
        TraceFile trace = TraceFile::read(file());
        std::erase_if(trace.tensors, [](const auto& tensor) {
            return tensor.first.ends_with(".k") || tensor.first.ends_with(".v");
        });
        trace.write(file());
        QCOMPARE(outcome(model_), std::string("pass 1 layer 1 attention attn"));
    }

    // Rotated by a position that is not the row's.
    void a_position_that_is_not_the_row_s_is_found() {
        capture(with_wrong_position(path("reference"), 1), model_);
        QCOMPARE(outcome(model_), std::string("pass 0 layer 0 qkv q"));
    }

    // Every step's error is no larger than rounding's, but goes the same way in all of them: on the
    // trace's own inputs no step is wrong, and yet it ends further from truth than rounding does.
    void errors_that_all_go_one_way_drift_unexplained() {
        TinyRecipe recipe = recipe_named("qwen2-gqa7-tied");
        recipe.config.num_hidden_layers = 24;
        const auto model = make_tiny_model(recipe, DType::bf16);
        for (const bool biased : {false, true}) {
            capture(biased ? with_biased_residuals(path("truth"), 0.0014f) : path("truth"), model);
            const auto result = judge_file(model);
            QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
            QCOMPARE(place(*result), std::string(biased ? "drift unexplained" : "match"));
            const std::string said = comparison_sentence(*result);
            QCOMPARE(said.find("small errors that all go the same way") != said.npos, biased);
        }
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

    // Told in the middle of it, by the flag or by the progress: there is no result, and no more
    // work.
    void it_can_be_stopped() {
        capture(path("fused"), model_);
        for (const bool by_flag : {true, false}) {
            CompareRequest request = request_of(model_, *Trace::open(file()));
            std::atomic<bool> stop = false;
            int told = 0;
            request.cancel = &stop;
            request.progress = [&](const CompareProgress&) {
                stop = by_flag && ++told == 3;
                return by_flag || ++told < 3;
            };
            const auto result = compare_paths(request);
            QVERIFY(!result.has_value());
            QCOMPARE(result.error().kind, ErrorKind::cancelled);
            QCOMPARE(told, 3);
        }
    }

    void what_a_trace_lacks_is_no_error_and_no_certainty() {
        capture(with_wrong<QkvArgs>(path("reference"), &KernelPath::qkv, 1,
                                    [](QkvArgs& args) { args.k_bias = Tensor(); }),
                model_);
        TraceFile trace = TraceFile::read(file());
        trace.tensors.erase("pass.0.layers.1.q");
        trace.write(file());
        const auto found = inspect(request_of(model_, *Trace::open(file())));
        QVERIFY2(found.has_value(), found ? "" : found.error().message.c_str());
        QCOMPARE(place(found->comparison), std::string("pass 0 layer 1 qkv k"));
        const Cause& cause = found->diagnosis->causes.front();
        QVERIFY2(cause.evidence.find("The trace lacks q of this step") != std::string::npos,
                 cause.evidence.c_str());
        QVERIFY(cause.confidence != "high");
        QCOMPARE(cause.cause, std::string("k_bias_dropped"));
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

    void a_prompt_in_several_batches_is_judged_whole() {
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

    void another_name_is_accepted_where_the_embeddings_agree() {
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        trace.metadata["model"] = "somebody/Else's name";
        trace.write(file());
        QCOMPARE(outcome(model_), std::string("match"));
    }
};

QTEST_APPLESS_MAIN(TestTraceComparison)
#include "tst_trace_comparison.moc"
