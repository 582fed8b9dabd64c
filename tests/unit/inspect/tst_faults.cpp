// SPDX-License-Identifier: GPL-3.0-or-later
// Every fault of the catalogue, planted in every path: it changes its own step in its own layer and
// nothing else. And how a fault is written.
#include <QTest>
#include <cmath>
#include <set>

#include "core/inspect/fault_call.h"
#include "core/inspect/fault_formulas.h"
#include "core/inspect/step_runs.h"
#include "core/run/forward.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// A model in which every fault can show: bias, grouped heads, rope_scaling, a head of its own, and
// an eps that is not next to nothing.
TinyRecipe telling_recipe() {
    TinyRecipe recipe{"telling", 5, {}};
    ModelConfig& config = recipe.config;
    config.architecture = Architecture::qwen2;
    config.hidden_size = 104;
    config.intermediate_size = 150;
    config.num_hidden_layers = 3;
    config.num_attention_heads = 6;
    config.num_key_value_heads = 2;
    config.head_dim = 32;
    config.vocab_size = 131;
    config.max_position_embeddings = 64;
    config.rms_norm_eps = 0.02f;
    config.rope_theta = 500000;
    config.rope_scaling.type = RopeScaling::Type::linear;
    config.rope_scaling.factor = 4;
    config.qkv_bias = true;
    return recipe;
}

std::vector<int32_t> some_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

FaultSpec in_the_middle(const FaultInfo& fault, const ModelConfig& config) {
    const auto layers = static_cast<int>(config.num_hidden_layers);
    const int layer = fault.step == StepId::embed    ? -1
                      : fault.step == StepId::logits ? layers
                                                     : layers / 2;
    return {std::string(fault.name), layer};
}

bool same_bits(const Tensor& a, const Tensor& b) {
    for (int64_t i = 0; i < a.numel(); ++i) {
        const float x = element(a, i), y = element(b, i);
        if (std::bit_cast<uint32_t>(x) != std::bit_cast<uint32_t>(y)) return false;
    }
    return true;
}

// Runs each step of a pass as both paths on the same inputs and keeps where they differ.
class Differences final : public StepObserver {
  public:
    Differences(const KernelPath& honest, const KernelPath& wrong, DType dtype)
        : honest_(honest), wrong_(wrong), dtype_(dtype) {}
    std::set<std::string> places;

    Status after_step(const StepArgs& args, bool, Stream& stream) override {
        LOCKSTEP_ASSIGN(const SampleStep right, inputs_for(honest_, args, dtype_));
        LOCKSTEP_ASSIGN(const SampleStep other, inputs_for(wrong_, args, dtype_));
        LOCKSTEP_TRY(run_step(honest_, right.args, stream));
        LOCKSTEP_TRY(run_step(wrong_, other.args, stream));
        LOCKSTEP_TRY(stream.synchronize());
        const auto expected = step_taps(right.args, false), found = step_taps(other.args, false);
        for (size_t i = 0; i < expected.size(); ++i) {
            if (same_bits(expected[i].tensor, found[i].tensor)) continue;
            places.insert(std::to_string(step_context(args).layer) + " " +
                          std::string(step_name(step_id(args))));
        }
        return {};
    }

  private:
    const KernelPath &honest_, &wrong_;
    DType dtype_;
};

Result<std::unique_ptr<Session>> session_of(const std::shared_ptr<const Model>& model) {
    return Session::create(model, cpu_device(), 2, 48);
}

std::string message_of(const Result<FaultSpec>& result) {
    return result ? "" : result.error().message;
}

}  // namespace

class TestFaults : public QObject {
    Q_OBJECT

    void add_catalogue_rows() {
        QTest::addColumn<QString>("name");
        for (const FaultInfo& fault : fault_catalog()) {
            const QString name =
                QString::fromLatin1(fault.name.data(), static_cast<qsizetype>(fault.name.size()));
            QTest::newRow(qPrintable(name)) << name;
        }
    }

  private Q_SLOTS:
    void the_catalogue_is_whole() {
        QVERIFY(fault_catalog().size() >= 60);
        std::set<std::string_view> names;
        for (const FaultInfo& fault : fault_catalog()) {
            QVERIFY2(names.insert(fault.name).second, fault.name.data());
            QVERIFY2(!fault.summary.empty(), fault.name.data());
            QVERIFY(fault.summary.find('\t') == fault.summary.npos);
            QCOMPARE(find_fault(fault.name), &fault);
        }
        QVERIFY(!find_fault("fused"));
        const size_t planted = embed_faults().size() + qkv_faults().size() +
                               attention_faults().size() + attn_output_faults().size() +
                               gate_up_faults().size() + down_faults().size() +
                               logits_faults().size();
        QCOMPARE(planted, fault_catalog().size());
    }

    void a_fault_changes_its_own_step_and_no_other_data() { add_catalogue_rows(); }
    void a_fault_changes_its_own_step_and_no_other() {
        QFETCH(QString, name);
        const FaultInfo& fault = *find_fault(name.toStdString());
        for (const DType dtype : {DType::bf16, DType::f32, DType::f16}) {
            const std::shared_ptr<const Model> model = make_tiny_model(telling_recipe(), dtype);
            for (const KernelPath& base : kernel_paths(DeviceKind::cpu)) {
                if (dtype == DType::f16 && base.name != "fused") continue;
                const FaultSpec spec = in_the_middle(fault, model->config);
                const auto wrong = plant_fault(base, spec, model);
                QVERIFY2(wrong.has_value(), wrong ? "" : wrong.error().message.c_str());
                QCOMPARE(wrong->name, base.name + " with " + fault_text(spec));
                auto session = session_of(model);
                QVERIFY(session.has_value());
                Differences differences(base, *wrong, dtype);
                const auto ran =
                    Forward::run(**session, base, some_ids(11, 131), {nullptr, &differences, true});
                QVERIFY2(ran.has_value(), ran ? "" : ran.error().message.c_str());
                const std::string place =
                    std::to_string(spec.layer) + " " + std::string(step_name(fault.step));
                QCOMPARE(differences.places, std::set<std::string>{place});
            }
        }
    }

    // Alone from the first token on, with nothing to correct it: prefill and decode.
    void a_planted_path_runs_to_the_end_data() { add_catalogue_rows(); }
    void a_planted_path_runs_to_the_end() {
        QFETCH(QString, name);
        const FaultInfo& fault = *find_fault(name.toStdString());
        const std::shared_ptr<const Model> model = make_tiny_model(telling_recipe(), DType::bf16);
        for (const KernelPath& base : kernel_paths(DeviceKind::cpu)) {
            const auto wrong = plant_fault(base, in_the_middle(fault, model->config), model);
            QVERIFY(wrong.has_value());
            auto session = session_of(model);
            for (const size_t count : {size_t{11}, size_t{1}, size_t{1}, size_t{5}}) {
                const auto ran = Forward::run(**session, *wrong, some_ids(count, 131), {});
                QVERIFY2(ran.has_value(), ran ? "" : ran.error().message.c_str());
                for (int64_t i = 0; i < ran->numel(); ++i) QVERIFY(std::isfinite(element(*ran, i)));
            }
        }
    }

    void a_fault_is_written_and_read() {
        for (const FaultInfo& fault : fault_catalog()) {
            const FaultSpec spec = in_the_middle(fault, telling_recipe().config);
            const auto read = parse_fault(fault_text(spec), 3);
            QVERIFY2(read.has_value(), fault.name.data());
            QCOMPARE(read->name, spec.name);
            QCOMPARE(read->layer, spec.layer);
        }
        QCOMPARE(parse_fault("k_bias_dropped@layer=2,step=qkv", 3)->layer, 2);
        QCOMPARE(parse_fault("embed_scaled", 3)->layer, -1);
        QCOMPARE(parse_fault("wrong_head@step=logits", 3)->layer, 3);
        QCOMPARE(parse_fault("wrong_head@layer=3", 3)->layer, 3);
    }

    void what_is_not_a_fault_is_refused_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("says");
        const auto row = [](const char* text, const char* says) {
            QTest::newRow(text) << QByteArray(text) << QByteArray(says);
        };
        row("bias_dropped@layer=0", "k_bias_dropped, v_bias_dropped");
        row("", "there is no fault \"\"");
        row("k_bias_dropped", "k_bias_dropped@layer=N");
        row("k_bias_dropped@", "k_bias_dropped@layer=N");
        row("k_bias_dropped@layer=3", "layers are 0 to 2");
        row("k_bias_dropped@layer=-1", "layers are 0 to 2");
        row("k_bias_dropped@layer=", "whole number");
        row("k_bias_dropped@layer=1x", "whole number");
        row("k_bias_dropped@layer=99999999999", "whole number");
        row("k_bias_dropped@layer=1,step=down", "a fault of qkv, not of down");
        row("k_bias_dropped@layer=1,step=mlp", "no step \"mlp\"");
        row("k_bias_dropped@layer=1,head=2", "FAULT@layer=N[,step=S]");
        row("embed_scaled@layer=0", "layer -1");
        row("wrong_head@layer=2", "layer 3");
    }
    void what_is_not_a_fault_is_refused() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, says);
        const auto read = parse_fault(text.toStdString(), 3);
        QVERIFY(!read.has_value());
        QVERIFY2(message_of(read).find(says.toStdString()) != std::string::npos,
                 message_of(read).c_str());
    }

    void a_fault_that_cannot_show_is_not_planted_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("why");
        QTest::newRow("bias") << "k_bias_dropped"
                              << "no bias";
        QTest::newRow("scaling") << "rope_scaling_ignored"
                                 << "no rope_scaling";
        QTest::newRow("heads") << "grouped_head_map_wrong"
                               << "one key head";
        QTest::newRow("layout") << "cache_layout_wrong"
                                << "one key head";
        QTest::newRow("tied") << "lm_head_is_embed_tokens"
                              << "embed_tokens";
    }
    void a_fault_that_cannot_show_is_not_planted() {
        QFETCH(QString, name);
        QFETCH(QString, why);
        TinyRecipe recipe = byte_recipe();
        recipe.config.tie_word_embeddings = true;
        const std::shared_ptr<const Model> model = make_tiny_model(recipe, DType::bf16);
        const FaultInfo& fault = *find_fault(name.toStdString());
        const auto planted = plant_fault(*find_kernel_path(DeviceKind::cpu, "fused"),
                                         in_the_middle(fault, model->config), model);
        QVERIFY(!planted.has_value());
        QVERIFY2(planted.error().message.find(why.toStdString()) != std::string::npos,
                 planted.error().message.c_str());
        QVERIFY(fault_without_effect(fault, telling_recipe().config).empty());
    }

    void e4m3_is_what_the_standard_says() {
        const std::pair<float, float> cases[] = {
            {0, 0},         {1, 1},
            {1.06f, 1},     {1.07f, 1.125f},
            {-1.0625f, -1}, {448, 448},
            {500, 448},     {-1e9f, -448},
            {17, 16},       {18, 18},
            {19, 20},       {0x1p-9f, 0x1p-9f},
            {0x1p-10f, 0},  {0x1.8p-9f, 0x1p-8f},
            {0.9f, 0.875f}, {1.9999f, 2},
        };
        for (const auto& [value, rounded] : cases) QCOMPARE(fp8_e4m3(value), rounded);
        QVERIFY(std::isnan(fp8_e4m3(NAN)));
    }
};

QTEST_APPLESS_MAIN(TestFaults)
#include "tst_faults.moc"
