// SPDX-License-Identifier: GPL-3.0-or-later
// What the catalogue says of a step, and what check_step refuses: each refusal by a call that is
// right but for one thing.
#include <QTest>
#include <cmath>
#include <functional>

#include "kernels/step_catalog.h"

using namespace lockstep;

namespace {

// T 3, H 8, A 4, G 2, D 4, I 6, V 5, C 10, 2 rows in the cache.
StepShape small_shape() {
    StepShape shape;
    shape.rows = 3;
    shape.hidden_size = 8;
    shape.num_attention_heads = 4;
    shape.num_key_value_heads = 2;
    shape.head_dim = 4;
    shape.intermediate_size = 6;
    shape.vocab_size = 5;
    shape.context = 10;
    shape.first_row = 2;
    shape.qkv_bias = true;
    return shape;
}

constexpr StepId all_steps[]{StepId::embed,   StepId::qkv,  StepId::attention, StepId::attn_output,
                             StepId::gate_up, StepId::down, StepId::logits};

struct Refusal {
    const char* name;
    StepId step;
    const char* says;  // part of the message
    std::function<void(StepArgs&)> spoil;
};

template <class Args>
std::function<void(StepArgs&)> on(void (*spoil)(Args&)) {
    return [spoil](StepArgs& args) { spoil(std::get<Args>(args)); };
}

const std::vector<Refusal>& refusals() {
    static const std::vector<Refusal> table{
        {"ids undefined", StepId::embed, "ids is undefined",
         on<EmbedArgs>([](EmbedArgs& a) { a.ids = {}; })},
        {"ids not i32", StepId::embed, "ids f32[3] must be i32",
         on<EmbedArgs>([](EmbedArgs& a) { a.ids.dtype = DType::f32; })},
        {"a packed table", StepId::embed, "embed_tokens",
         on<EmbedArgs>([](EmbedArgs& a) { a.embed_tokens.dtype = DType::q4_0; })},
        {"more ids than rows", StepId::embed, "T is",
         on<EmbedArgs>([](EmbedArgs& a) { a.hidden.shape[0] = 2; })},
        {"a weight undefined", StepId::qkv, "k_proj is undefined",
         on<QkvArgs>([](QkvArgs& a) { a.k_proj = {}; })},
        {"a transposed weight", StepId::qkv, "q_proj",
         on<QkvArgs>([](QkvArgs& a) { std::swap(a.q_proj.shape[0], a.q_proj.shape[1]); })},
        {"a column-major weight", StepId::qkv, "last dimension must be dense",
         on<QkvArgs>([](QkvArgs& a) {
             a.q_proj.stride = {1, 16, 0, 0};
         })},
        {"another hidden size", StepId::qkv, "H is",
         on<QkvArgs>([](QkvArgs& a) { a.input_layernorm.shape[0] = 7; })},
        {"a short bias", StepId::qkv, "A*D is",
         on<QkvArgs>([](QkvArgs& a) { a.q_bias.shape[0] = 4; })},
        {"heads that do not make the projection", StepId::qkv, "heads make",
         on<QkvArgs>([](QkvArgs& a) { a.q.shape[1] = a.q_pre_rope.shape[1] = 2; })},
        {"heads that do not divide", StepId::attention, "not a multiple of G",
         on<AttentionArgs>([](AttentionArgs& a) {
             a.q.shape[1] = 3;
             a.attn.shape[1] = 12;
         })},
        {"angles of another head size", StepId::qkv, "angles",
         on<QkvArgs>([](QkvArgs& a) { a.rope_cos.shape[1] = a.rope_sin.shape[1] = 1; })},
        {"mixed activations", StepId::qkv, "must be bf16, as the step's other activations",
         on<QkvArgs>([](QkvArgs& a) { a.v_cache.dtype = DType::f16; })},
        {"a wrong rank", StepId::qkv, "must have 3 dimensions",
         on<QkvArgs>([](QkvArgs& a) { a.q.rank = 2; })},
        {"no rows", StepId::qkv, "is empty",
         on<QkvArgs>([](QkvArgs& a) { a.hidden.shape[0] = 0; })},
        {"a negative size", StepId::down, "is empty",
         on<DownArgs>([](DownArgs& a) { a.mlp.shape[1] = -6; })},
        {"a cache that is full", StepId::qkv, "outside the cache of 10",
         on<QkvArgs>([](QkvArgs& a) { a.context.first_row = 8; })},
        {"rows past the cache", StepId::attention, "outside the cache",
         on<AttentionArgs>([](AttentionArgs& a) { a.context.first_row = int64_t{1} << 62; })},
        {"a negative position", StepId::attention, "is negative",
         on<AttentionArgs>([](AttentionArgs& a) { a.context.first_row = -1; })},
        {"no position", StepId::attention, "position must be",
         on<AttentionArgs>([](AttentionArgs& a) { a.context.position = {}; })},
        {"no scale", StepId::attention, "scale",
         on<AttentionArgs>([](AttentionArgs& a) { a.scale = 0; })},
        {"a scale that is not a number", StepId::attention, "scale",
         on<AttentionArgs>([](AttentionArgs& a) { a.scale = NAN; })},
        {"an eps that is not a number", StepId::gate_up, "rms_norm_eps",
         on<GateUpArgs>([](GateUpArgs& a) { a.rms_norm_eps = NAN; })},
        {"a negative eps", StepId::logits, "rms_norm_eps",
         on<LogitsArgs>([](LogitsArgs& a) { a.rms_norm_eps = -1e-5f; })},
        {"the output on top of the residual", StepId::attn_output, "overlaps",
         on<AttnOutputArgs>([](AttnOutputArgs& a) { a.hidden_attn.data = a.hidden.data; })},
        {"the output half over the input", StepId::down, "overlaps", on<DownArgs>([](DownArgs& a) {
             a.hidden.data = a.hidden_attn.as<char>() + a.hidden_attn.bytes() / 2;
         })},
        {"k and v in one cache", StepId::qkv, "overlaps",
         on<QkvArgs>([](QkvArgs& a) { a.v_cache.data = a.k_cache.data; })},
        {"normed on top of the output", StepId::gate_up, "overlaps",
         on<GateUpArgs>([](GateUpArgs& a) { a.normed.data = a.mlp.data; })},
        {"rows that overlap each other", StepId::gate_up, "elements overlap",
         on<GateUpArgs>([](GateUpArgs& a) { a.mlp.stride[0] = 5; })},
        {"rows that run backwards", StepId::logits, "elements overlap",
         on<LogitsArgs>([](LogitsArgs& a) { a.hidden.stride[0] = -8; })},
        {"logits not in f32", StepId::logits, "logits bf16[3, 5] must be f32",
         on<LogitsArgs>([](LogitsArgs& a) { a.logits.dtype = DType::bf16; })},
    };
    return table;
}

Result<SampleStep> sample(StepId step) {
    return make_sample_step(step, small_shape(), {});
}

}  // namespace

class TestCheckStep : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void names_go_both_ways() {
        for (StepId step : all_steps) QVERIFY(step_from_name(step_name(step)) == step);
        QVERIFY(!step_from_name("Qkv") && !step_from_name("") && !step_from_name("qkv "));
    }

    void a_sample_is_accepted() {
        for (StepId step : all_steps) {
            for (bool strided : {false, true}) {
                SampleOptions options;
                options.strided = strided;
                const Result<SampleStep> made = make_sample_step(step, small_shape(), options);
                QVERIFY2(made.has_value(), made ? "" : made.error().message.c_str());
                QVERIFY(check_step(made->args).has_value());
                QCOMPARE(static_cast<int>(step_id(made->args)), static_cast<int>(step));
            }
        }
    }

    void what_is_wrong_is_refused_data() {
        QTest::addColumn<int>("refusal");
        for (size_t i = 0; i < refusals().size(); ++i)
            QTest::addRow("%s: %s", step_name(refusals()[i].step).data(), refusals()[i].name)
                << static_cast<int>(i);
    }
    void what_is_wrong_is_refused() {
        QFETCH(int, refusal);
        const Refusal& row = refusals()[static_cast<size_t>(refusal)];
        Result<SampleStep> made = sample(row.step);
        QVERIFY(made.has_value());
        row.spoil(made->args);
        const Status status = check_step(made->args);
        QVERIFY(!status);
        QVERIFY2(status.error().message.find(row.says) != std::string::npos,
                 status.error().message.c_str());
    }

    // Optional operands may be missing, and slices of one buffer may interleave.
    void what_is_right_is_not_refused() {
        Result<SampleStep> made = sample(StepId::qkv);
        QVERIFY(made.has_value());
        auto& args = std::get<QkvArgs>(made->args);
        args.q_bias = args.k_bias = args.v_bias = {};
        args.normed = args.q_pre_rope = args.k_pre_rope = {};
        QVERIFY(check_step(made->args).has_value());
        std::vector<uint16_t> both(10 * 2 * 2 * 4);
        args.k_cache = Tensor(both.data(), DType::bf16, {10, 2, 4});
        args.k_cache.stride[0] = 16;
        args.v_cache = args.k_cache;
        args.v_cache.data = both.data() + 8;
        const Status status = check_step(made->args);
        QVERIFY2(status.has_value(), status ? "" : status.error().message.c_str());
        args.v_cache.data = both.data() + 7;
        QVERIFY(!check_step(made->args));
    }

    void a_shape_without_sizes_makes_no_sample() {
        for (StepId step : all_steps) QVERIFY(!make_sample_step(step, StepShape(), {}));
        StepShape odd = small_shape();
        odd.head_dim = 5;
        QVERIFY(!make_sample_step(StepId::qkv, odd, {}));
        StepShape full = small_shape();
        full.context = 4;
        QVERIFY(!make_sample_step(StepId::attention, full, {}));
    }

    void taps_have_their_names_and_shapes() {
        const auto names = [](StepId step, bool unfused) {
            const Result<SampleStep> made = sample(step);
            std::string all;
            for (const NamedTensor& tap : step_taps(made->args, unfused))
                all += std::string(tap.name) + " " + tap.tensor.description() + "; ";
            return all;
        };
        QCOMPARE(names(StepId::embed, true), std::string("hidden bf16[3, 8]; "));
        QCOMPARE(names(StepId::qkv, false),
                 std::string("q bf16[3, 4, 4]; k bf16[3, 2, 4]; v bf16[3, 2, 4]; "));
        QCOMPARE(names(StepId::qkv, true),
                 std::string("q bf16[3, 4, 4]; k bf16[3, 2, 4]; v bf16[3, 2, 4]; "
                             "normed bf16[3, 8]; q_pre_rope bf16[3, 4, 4]; "
                             "k_pre_rope bf16[3, 2, 4]; "));
        QCOMPARE(names(StepId::attention, false), std::string("attn bf16[3, 4, 4]; "));
        QCOMPARE(names(StepId::logits, true), std::string("logits f32[3, 5]; normed bf16[3, 8]; "));
    }

    void k_is_what_was_appended() {
        const Result<SampleStep> made = sample(StepId::qkv);
        QVERIFY(made.has_value());
        const auto& args = std::get<QkvArgs>(made->args);
        const Tensor k = step_taps(made->args, false)[1].tensor;
        QCOMPARE(k.data, static_cast<void*>(args.k_cache.as<uint16_t>() + 2 * 8));
        QVERIFY(!std::isnan(element(args.k_cache, 2 * 8 - 1)));  // in the cache already
        QVERIFY(std::isnan(element(args.k_cache, 2 * 8)));       // to be written
    }

    void bytes_and_flops_of_small_steps() {
        const auto bytes = [](StepId step) { return step_bytes(sample(step)->args); };
        const auto flops = [](StepId step) { return step_flops(sample(step)->args); };
        QCOMPARE(bytes(StepId::embed), 3 * 4 + 2 * 3 * 8 * 2);
        QCOMPARE(flops(StepId::embed), 0);
        // hidden, norm, q k v weights and biases, angles of 3 rows, q, k and v of 3 rows
        QCOMPARE(bytes(StepId::qkv), 2 * (24 + 8 + 256 + 32) + 2 * 3 * 2 * 4 + 2 * (48 + 24 + 24));
        QCOMPARE(flops(StepId::qkv), 2 * 3 * 8 * (16 + 8 + 8));
        // q and attn of 3 rows, 5 rows of k and v
        QCOMPARE(bytes(StepId::attention), 2 * (48 + 48 + 40 + 40));
        QCOMPARE(flops(StepId::attention), 4 * (3 + 4 + 5) * 16);
        QCOMPARE(flops(StepId::down), 2 * 3 * 6 * 8);
        QCOMPARE(bytes(StepId::logits), 2 * (24 + 8 + 40) + 4 * 15);
    }

    void a_clone_has_the_values_and_its_own_outputs() {
        for (StepId step : all_steps) {
            SampleOptions options;
            options.strided = true;
            const Result<SampleStep> made = make_sample_step(step, small_shape(), options);
            QVERIFY(made.has_value());
            const Result<SampleStep> clone = clone_step(made->args, DType::f32);
            QVERIFY(clone.has_value() && check_step(clone->args));
            const auto from = step_tensors(made->args);
            const auto to = step_tensors(clone->args);
            QCOMPARE(to.size(), from.size());
            for (size_t i = 0; i < to.size(); ++i) {
                const bool made_here =
                    to[i].role == Role::output || to[i].role == Role::unfused_output;
                for (int64_t e = 0; e < to[i].tensor.numel(); ++e) {
                    const float value = element(to[i].tensor, e);
                    const float original = element(from[i].tensor, e);
                    if (made_here || std::isnan(original)) {
                        QVERIFY(std::isnan(value));
                    } else {
                        QCOMPARE(value, original);
                    }
                }
            }
        }
    }

    void paths_are_found_by_name_and_mixed_by_step() {
        const KernelPath* truth = find_kernel_path(DeviceKind::cpu, "truth");
        const KernelPath* reference = find_kernel_path(DeviceKind::cpu, "reference");
        QVERIFY(truth && reference && truth->f32_activations && !reference->f32_activations);
        QVERIFY(!find_kernel_path(DeviceKind::cpu, "none"));
        QCOMPARE(kernel_paths(DeviceKind::cpu).front().name, std::string("truth"));
        KernelPath bare;
        const KernelPath mixed = bare.with_step(StepId::qkv, *reference);
        QVERIFY(mixed.qkv && !mixed.embed && !mixed.logits);
        QCOMPARE(static_cast<int>(mixed.writes_unfused_outputs),
                 1 << static_cast<int>(StepId::qkv));
        const KernelPath back = reference->with_step(StepId::gate_up, bare);
        QVERIFY(!back.gate_up && back.down);
        QVERIFY(!(back.writes_unfused_outputs & 1 << static_cast<int>(StepId::gate_up)));
        KernelPath straight = *reference;  // to the host: a property of its logits
        straight.logits_to_host = [](const LogitsArgs&, Stream&) { return true; };
        QVERIFY(reference->with_step(StepId::logits, straight).logits_to_host);
        QVERIFY(!straight.with_step(StepId::logits, *reference).logits_to_host);
        QVERIFY(straight.with_step(StepId::down, *reference).logits_to_host);
        auto stream = cpu_device().make_stream(1);
        QVERIFY(!run_step(bare, sample(StepId::embed)->args, **stream));
    }
};

QTEST_APPLESS_MAIN(TestCheckStep)
#include "tst_check_step.moc"
