// SPDX-License-Identifier: GPL-3.0-or-later
// Step by step against transformers: each step is given what transformers' modules were given
// (tests/golden/steps), and puts out what they put out. In bf16 that pins every rounding of the
// reference: a rounding left out, or made in another place, shows as units in the last place.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <sstream>

#include "kernels/cpu/reference.h"
#include "kernels/cpu/rounding.h"
#include "kernels/step_catalog.h"
#include "tests/support/golden_file.h"

using namespace lockstep;

namespace {

// Distance in representable values.
int64_t steps_between(float a, float b, DType dtype) {
    const auto ordered = [&](float value) {
        const auto bits = static_cast<int64_t>(std::bit_cast<uint32_t>(value));
        const int64_t magnitude = (bits & 0x7fffffff) >> (dtype == DType::bf16 ? 16 : 0);
        return bits >> 31 ? -magnitude : magnitude;
    };
    return std::abs(ordered(a) - ordered(b));
}

// Tensors made for one call; they live as long as this.
class Memory {
  public:
    Tensor filled(DType dtype, const std::vector<float>& values,
                  std::initializer_list<int64_t> shape) {
        const Tensor tensor = room(dtype, shape);
        for (size_t i = 0; i < values.size(); ++i)
            store_element(tensor.data, dtype, static_cast<int64_t>(i), values[i]);
        return tensor;
    }
    Tensor room(DType dtype, std::initializer_list<int64_t> shape) {
        Tensor tensor(nullptr, dtype, shape);
        buffers_.push_back(*cpu_device().allocate(static_cast<size_t>(tensor.bytes())));
        tensor.data = buffers_.back().data();
        return tensor;
    }

  private:
    std::vector<Buffer> buffers_;
};

struct Sizes {
    int64_t hidden = 0, heads = 0, groups = 0, head_dim = 0, inner = 0, vocab = 0;
};

}  // namespace

class TestReferenceSteps : public QObject {
    Q_OBJECT
    std::unique_ptr<test::GoldenFile> golden_;
    Sizes sizes_;
    float eps_ = 0;

    // One call of the golden: a dtype, and the prompt (0) or the token after it (1).
    struct Call {
        const Json* taps = nullptr;
        const Json* before = nullptr;  // of the call whose k and v are in the cache already
        int64_t rows = 0, first_row = 0;
    };
    Call call(const QString& dtype, int number) const {
        const Json& calls = golden_->description()[dtype.toStdString()];
        Call result;
        const Json& one = calls[static_cast<size_t>(number)];
        result.taps = &one["taps"];
        result.before = number > 0 ? &calls[0]["taps"] : nullptr;
        result.first_row = one["first_row"].get<int64_t>();
        result.rows = one["taps"]["v"]["shape"][0].get<int64_t>();
        return result;
    }
    std::vector<float> values(const Json& taps, const char* name) const {
        return golden_->floats(taps[name]);
    }
    Tensor weight(Memory& memory, DType dtype, const std::string& name) const {
        const Json& entry = golden_->description()["weights"][name];
        const std::vector<float> all = golden_->floats(entry);
        const auto rows = entry["shape"][0].get<int64_t>();
        if (entry["shape"].size() == 1) return memory.filled(dtype, all, {rows});
        return memory.filled(dtype, all, {rows, entry["shape"][1].get<int64_t>()});
    }

    // The arguments of a step with transformers' inputs.
    StepArgs args_of(StepId step, const Call& call, DType dtype, Memory& memory) const;
    // The golden's name of a tap.
    static const char* expected(StepId step, std::string_view tap);

  private Q_SLOTS:
    void initTestCase() {
        Result<test::GoldenFile> file = test::GoldenFile::read("golden/steps/steps");
        QVERIFY2(file.has_value(), file ? "" : file.error().message.c_str());
        golden_ = std::make_unique<test::GoldenFile>(std::move(*file));
        const Json& sizes = golden_->description()["sizes"];
        sizes_ = {sizes["hidden_size"], sizes["num_attention_heads"], sizes["num_key_value_heads"],
                  sizes["head_dim"],    sizes["intermediate_size"],   sizes["vocab_size"]};
        eps_ = sizes["rms_norm_eps"];
    }

    void each_step_is_transformers_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("dtype");
        QTest::addColumn<int>("call");
        QTest::addColumn<int>("step");
        for (const char* path : {"reference", "reference, widened", "truth"}) {
            for (const char* dtype : {"bf16", "f32"}) {
                if (QString(path) == "truth" && QString(dtype) == "bf16") continue;
                for (int number : {0, 1}) {
                    for (int step = 0; step < step_count; ++step) {
                        QTest::addRow("%s %s call %d %s", path, dtype, number,
                                      step_name(static_cast<StepId>(step)).data())
                            << path << dtype << number << step;
                    }
                }
            }
        }
    }
    void each_step_is_transformers() {
        QFETCH(QString, path);
        QFETCH(QString, dtype);
        QFETCH(int, call);
        QFETCH(int, step);
        const auto with = path == "truth"
                              ? *find_kernel_path(DeviceKind::cpu, "truth")
                              : make_cpu_reference_path(path == "reference" ? Products::native
                                                                            : Products::widened);
        const DType type = *dtype_from_name(dtype.toStdString());
        if (path == "reference" && products_for(type) == Products::widened)
            QSKIP("oneDNN has no products of this dtype on this machine");
        examine(with, static_cast<StepId>(step), this->call(dtype, call), type);
    }

    // The comparison itself: truth, rounded once to bf16 where the reference rounds often, is not
    // what transformers computes.
    void one_rounding_is_not_enough() {
        const Call prompt = call("bf16", 0);
        const KernelPath& truth = *find_kernel_path(DeviceKind::cpu, "truth");
        auto stream = cpu_device().make_stream(1);
        for (StepId step : {StepId::qkv, StepId::attention, StepId::gate_up, StepId::logits}) {
            Memory memory;
            const StepArgs args = args_of(step, prompt, DType::bf16, memory);
            const Result<SampleStep> exact = clone_step(args, DType::f32);
            QVERIFY(exact && run_step(truth, exact->args, **stream));
            const std::vector<NamedTensor> taps = step_taps(exact->args, true);
            QVERIFY(std::any_of(taps.begin(), taps.end(), [&](const NamedTensor& tap) {
                return !problem_with(tap, step, prompt, DType::bf16).empty();
            }));
        }
    }

  private:
    void examine(const KernelPath& path, StepId step, const Call& call, DType dtype) {
        Memory memory;
        const StepArgs args = args_of(step, call, dtype, memory);
        const Status fits = check_step(args);
        QVERIFY2(fits.has_value(), fits ? "" : fits.error().message.c_str());
        auto stream = cpu_device().make_stream(2);
        const Status ran = run_step(path, args, **stream);
        QVERIFY2(ran.has_value(), ran ? "" : ran.error().message.c_str());
        for (const NamedTensor& tap : step_taps(args, true)) {
            const std::string problem = problem_with(tap, step, call, dtype);
            QVERIFY2(problem.empty(), problem.c_str());
        }
    }

    // In bf16 the order of a sum in f32 decides a rounding now and then (not once on the machine
    // that this was written on): one unit, in one value of a hundred. In f32 it decides the last
    // bits of every value: 2e-6 of the largest.
    std::string problem_with(const NamedTensor& tap, StepId step, const Call& call,
                             DType dtype) const {
        const std::vector<float> golden = values(*call.taps, expected(step, tap.name));
        if (static_cast<size_t>(tap.tensor.numel()) != golden.size()) return "another shape";
        size_t different = 0;
        int64_t worst = 0;
        double largest = 0, error = 0;
        for (size_t i = 0; i < golden.size(); ++i) {
            const float value = rounded(element(tap.tensor, static_cast<int64_t>(i)), dtype);
            if (!std::isfinite(value)) return std::string(tap.name) + " is not finite";
            const int64_t distance = steps_between(value, golden[i], dtype);
            different += distance != 0;
            worst = std::max(worst, distance);
            largest = std::max<double>(largest, std::abs(golden[i]));
            error = std::max<double>(error, std::abs(value - golden[i]));
        }
        const bool good = dtype == DType::bf16 ? worst <= 1 && different * 100 <= golden.size()
                                               : error <= 2e-6 * largest;
        if (good) return {};
        std::ostringstream text;
        text << tap.name << ": " << different << " of " << golden.size() << " differ, by " << worst
             << " units at most, error " << error << " of " << largest;
        return text.str();
    }
};

StepArgs TestReferenceSteps::args_of(StepId step, const Call& call, DType dtype,
                                     Memory& memory) const {
    const Json& taps = *call.taps;
    const int64_t rows = call.rows;
    const std::string layer = "model.layers.0.";
    const auto w = [&](const std::string& name) { return weight(memory, dtype, name + ".weight"); };
    const auto given = [&](const char* name, int64_t columns) {
        return memory.filled(dtype, values(taps, name), {rows, columns});
    };
    StepContext context{0, call.first_row, memory.room(DType::i32, {1})};
    *context.position.as<int32_t>() = static_cast<int32_t>(call.first_row);
    // The cache, with transformers' k and v of the rows before (and for attention, of these too).
    const auto cache = [&](const char* name, bool filled) {
        const int64_t context_rows = 16;
        std::vector<float> held;
        if (call.before) held = values(*call.before, name);
        if (filled) {
            const std::vector<float> own = values(taps, name);
            held.insert(held.end(), own.begin(), own.end());
        }
        return memory.filled(dtype, held, {context_rows, sizes_.groups, sizes_.head_dim});
    };
    switch (step) {
        case StepId::embed: {
            EmbedArgs args;
            args.context = context;
            args.ids = memory.room(DType::i32, {rows});
            for (int64_t t = 0; t < rows; ++t)
                args.ids.as<int32_t>()[t] =
                    golden_->description()["ids"][static_cast<size_t>(call.first_row + t)];
            args.embed_tokens = w("model.embed_tokens");
            args.hidden = memory.room(dtype, {rows, sizes_.hidden});
            return args;
        }
        case StepId::qkv: {
            QkvArgs args;
            args.context = context;
            args.rms_norm_eps = eps_;
            args.hidden = given("embedded", sizes_.hidden);
            args.input_layernorm = w(layer + "input_layernorm");
            args.q_proj = w(layer + "self_attn.q_proj");
            args.k_proj = w(layer + "self_attn.k_proj");
            args.v_proj = w(layer + "self_attn.v_proj");
            args.q_bias = weight(memory, dtype, layer + "self_attn.q_proj.bias");
            args.k_bias = weight(memory, dtype, layer + "self_attn.k_proj.bias");
            args.v_bias = weight(memory, dtype, layer + "self_attn.v_proj.bias");
            const Json& description = golden_->description();
            const int64_t positions = description["rope_cos"]["shape"][0];
            args.rope_cos = memory.room(DType::f32, {16, sizes_.head_dim / 2});
            args.rope_sin = memory.room(DType::f32, {16, sizes_.head_dim / 2});
            const std::vector<float> cosine = golden_->floats(description["rope_cos"]);
            const std::vector<float> sine = golden_->floats(description["rope_sin"]);
            std::copy_n(cosine.data(), positions * sizes_.head_dim / 2, args.rope_cos.as<float>());
            std::copy_n(sine.data(), positions * sizes_.head_dim / 2, args.rope_sin.as<float>());
            args.q = memory.room(dtype, {rows, sizes_.heads, sizes_.head_dim});
            args.k_cache = cache("k", false);
            args.v_cache = cache("v", false);
            args.normed = memory.room(dtype, {rows, sizes_.hidden});
            args.q_pre_rope = memory.room(dtype, {rows, sizes_.heads, sizes_.head_dim});
            args.k_pre_rope = memory.room(dtype, {rows, sizes_.groups, sizes_.head_dim});
            return args;
        }
        case StepId::attention: {
            AttentionArgs args;
            args.context = context;
            args.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(sizes_.head_dim)));
            args.q = memory.filled(dtype, values(taps, "q"), {rows, sizes_.heads, sizes_.head_dim});
            args.k_cache = cache("k", true);
            args.v_cache = cache("v", true);
            args.attn = memory.room(dtype, {rows, sizes_.heads * sizes_.head_dim});
            return args;
        }
        case StepId::attn_output: {
            AttnOutputArgs args;
            args.context = context;
            args.attn = given("attn", sizes_.heads * sizes_.head_dim);
            args.o_proj = w(layer + "self_attn.o_proj");
            args.hidden = given("embedded", sizes_.hidden);
            args.hidden_attn = memory.room(dtype, {rows, sizes_.hidden});
            return args;
        }
        case StepId::gate_up: {
            GateUpArgs args;
            args.context = context;
            args.rms_norm_eps = eps_;
            args.hidden_attn = given("hidden_attn", sizes_.hidden);
            args.post_attention_layernorm = w(layer + "post_attention_layernorm");
            args.gate_proj = w(layer + "mlp.gate_proj");
            args.up_proj = w(layer + "mlp.up_proj");
            args.mlp = memory.room(dtype, {rows, sizes_.inner});
            args.normed = memory.room(dtype, {rows, sizes_.hidden});
            return args;
        }
        case StepId::down: {
            DownArgs args;
            args.context = context;
            args.mlp = given("mlp", sizes_.inner);
            args.down_proj = w(layer + "mlp.down_proj");
            args.hidden_attn = given("hidden_attn", sizes_.hidden);
            args.hidden = memory.room(dtype, {rows, sizes_.hidden});
            return args;
        }
        case StepId::logits:
            break;
    }
    LogitsArgs args;
    args.context = context;
    args.rms_norm_eps = eps_;
    args.hidden = given("hidden", sizes_.hidden);
    args.norm = w("model.norm");
    args.lm_head = w("lm_head");
    args.logits = memory.room(DType::f32, {rows, sizes_.vocab});
    args.normed = memory.room(dtype, {rows, sizes_.hidden});
    return args;
}

const char* TestReferenceSteps::expected(StepId step, std::string_view tap) {
    if (tap == "hidden") return step == StepId::embed ? "embedded" : "hidden";
    if (tap == "normed" && step == StepId::gate_up) return "mlp_normed";
    if (tap == "normed" && step == StepId::logits) return "final_normed";
    for (const char* same : {"normed", "q", "k", "v", "attn", "hidden_attn", "mlp", "logits"}) {
        if (tap == same) return same;
    }
    return tap == "q_pre_rope" ? "q_projected" : "k_projected";
}

QTEST_APPLESS_MAIN(TestReferenceSteps)
#include "tst_reference_steps.moc"
