// SPDX-License-Identifier: GPL-3.0-or-later
// The real default model, against what transformers loads from the same file
// (tests/golden/weights/make.py).
#include <QCryptographicHash>
#include <QElapsedTimer>
#include <QTest>
#include <filesystem>

#include "core/base/json.h"
#include "core/model/model_loader.h"
#include "tests/support/models.h"

using namespace lockstep;

namespace {

const Tensor* find_tensor(const Weights& weights, const std::string& name) {
    if (name == "model.embed_tokens.weight") return &weights.embed_tokens;
    if (name == "lm_head.weight") return &weights.lm_head;
    if (name == "model.norm.weight") return &weights.norm;
    const std::string prefix = "model.layers.";
    const size_t dot = name.find('.', prefix.size());
    const LayerWeights& layer = weights.layers.at(std::stoul(name.substr(prefix.size())));
    const std::string rest = name.substr(dot + 1);
    if (rest == "input_layernorm.weight") return &layer.input_layernorm;
    if (rest == "self_attn.q_proj.weight") return &layer.q_proj;
    if (rest == "self_attn.k_proj.weight") return &layer.k_proj;
    if (rest == "self_attn.v_proj.weight") return &layer.v_proj;
    if (rest == "self_attn.o_proj.weight") return &layer.o_proj;
    if (rest == "post_attention_layernorm.weight") return &layer.post_attention_layernorm;
    if (rest == "mlp.gate_proj.weight") return &layer.gate_proj;
    if (rest == "mlp.up_proj.weight") return &layer.up_proj;
    if (rest == "mlp.down_proj.weight") return &layer.down_proj;
    return nullptr;
}

}  // namespace

class TestRealModels : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    // q and k among them: the permutation that GGUF has is undone.
    void smollm2_has_the_weights_that_transformers_loads() {
        LOCKSTEP_NEED_MODEL(path, default_model());
        LoadOptions options;
        options.dtype = DType::f32;
        const auto model = load_model(path, options);
        QVERIFY2(model, model ? "" : model.error().message.c_str());
        const auto golden =
            read_json_file(LOCKSTEP_SOURCE_DIR "/tests/golden/weights/smollm2.json");
        QVERIFY(golden && golden->size() == 30);
        for (const auto& [name, expected] : golden->items()) {
            const Tensor* tensor = find_tensor((*model)->weights, name);
            QVERIFY2(tensor, name.c_str());
            QVERIFY(tensor->contiguous());
            QCOMPARE(
                std::vector<int64_t>(tensor->shape.begin(), tensor->shape.begin() + tensor->rank),
                expected["shape"].get<std::vector<int64_t>>());
            const QByteArrayView bytes(tensor->as<const char>(), tensor->bytes());
            const auto hash =
                QCryptographicHash::hash(bytes.toByteArray(), QCryptographicHash::Sha256);
            QVERIFY2(hash.toHex().toStdString() == expected["sha256"].get<std::string>(),
                     name.c_str());
        }
    }

    void smollm2_is_what_its_file_says() {
        LOCKSTEP_NEED_MODEL(path, default_model());
        QElapsedTimer clock;
        clock.start();
        const auto loaded = load_model(path, {});
        QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
        qInfo("loaded in %lld ms", static_cast<long long>(clock.elapsed()));
        const Model& model = **loaded;
        QCOMPARE(model.name, std::string("Smollm2 135M 8k Lc100K Mix1 Ep2"));
        QCOMPARE(model.source_format, std::string("GGUF Q4_1"));
        QCOMPARE(model.template_problem, std::string());
        QCOMPARE(model.config.hidden_size, int64_t{576});
        QCOMPARE(model.config.intermediate_size, int64_t{1536});
        QCOMPARE(model.config.num_hidden_layers, int64_t{30});
        QCOMPARE(model.config.num_attention_heads, int64_t{9});
        QCOMPARE(model.config.num_key_value_heads, int64_t{3});
        QCOMPARE(model.config.head_dim, int64_t{64});
        QCOMPARE(model.config.vocab_size, int64_t{49152});
        QCOMPARE(model.config.max_position_embeddings, int64_t{8192});
        QCOMPARE(model.config.rope_theta, 100000.0);
        QCOMPARE(model.config.rms_norm_eps, 1e-5f);
        QVERIFY(model.config.tie_word_embeddings && !model.config.qkv_bias);
        QCOMPARE(model.config.eos_token_ids, (std::vector<int32_t>{0, 2}));
        QCOMPARE(model.weights.lm_head.data, model.weights.embed_tokens.data);
        QCOMPARE(model.weights.embed_tokens.dtype, DType::bf16);
        const LayerWeights& layer = model.weights.layers[0];
        QCOMPARE(layer.q_proj.rows(576, 0).data, layer.k_proj.data);
        QCOMPARE(layer.k_proj.rows(192, 0).data, layer.v_proj.data);
        QCOMPARE(layer.gate_proj.rows(1536, 0).data, layer.up_proj.data);
        // 134,515,008 parameters in bf16, the embedding read once (as the head) and one row of it.
        QCOMPARE(model.weights.bytes_per_token(), int64_t{2 * 134'515'008 + 2 * 576});
    }

    void qwen2_is_what_its_file_says() {
        LOCKSTEP_NEED_MODEL(path, qwen2_model());
        QElapsedTimer clock;
        clock.start();
        const auto loaded = load_model(path, {});
        QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
        qInfo("loaded in %lld ms", static_cast<long long>(clock.elapsed()));
        const Model& model = **loaded;
        QCOMPARE(model.config.architecture, Architecture::qwen2);
        QCOMPARE(model.config.num_key_value_heads, int64_t{2});
        QCOMPARE(model.config.vocab_size, int64_t{151936});
        QVERIFY(model.config.qkv_bias && !model.config.tie_word_embeddings);
        QVERIFY(model.weights.layers[23].k_bias.defined());
        QVERIFY(model.weights.lm_head.data != model.weights.embed_tokens.data);
        QCOMPARE(model.config.eos_token_ids, (std::vector<int32_t>{151643, 151645}));
    }
};

QTEST_APPLESS_MAIN(TestRealModels)
#include "tst_real_models.moc"
