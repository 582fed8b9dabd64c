// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "core/model/hf_config.h"
#include "tests/support/model_files.h"

using namespace lockstep;

class TestHfConfig : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;
    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }
    Result<ModelConfig> read(const Json& json) const {
        test::write_file(path("config.json"), json.dump());
        return read_hf_config(path("config.json"));
    }

  private Q_SLOTS:
    void inv_freq_is_transformers_data() {
        QTest::addColumn<QString>("shape");
        QTest::addColumn<int>("index");
        const auto cases = read_json_file(LOCKSTEP_SOURCE_DIR "/tests/golden/config/rope.json");
        QVERIFY(cases && cases->size() == 8);
        for (size_t i = 0; i < cases->size(); ++i) {
            for (const char* shape : {"today", "before"}) {
                const std::string name = (*cases)[i]["name"].get<std::string>() + ", " + shape;
                QTest::newRow(name.c_str()) << QString(shape) << static_cast<int>(i);
            }
        }
    }
    void inv_freq_is_transformers() {
        QFETCH(QString, shape);
        QFETCH(int, index);
        const auto cases = read_json_file(LOCKSTEP_SOURCE_DIR "/tests/golden/config/rope.json");
        const Json& golden = (*cases)[static_cast<size_t>(index)];
        const auto config = read(golden[shape.toStdString()]);
        QVERIFY2(config, config ? "" : config.error().message.c_str());
        const std::vector<float> inv_freq = rope_inv_freq(*config);
        QCOMPARE(inv_freq.size(), golden["inv_freq"].size());
        for (size_t i = 0; i < inv_freq.size(); ++i) {
            // torch's vectorised pow is right to one unit in the last place, and then divided.
            const auto expected = golden["inv_freq"][i].get<float>();
            const float allowed = 3 * (std::nextafter(expected, 2.0f) - expected);
            QVERIFY2(std::abs(inv_freq[i] - expected) <= allowed,
                     qPrintable(QString("%1: %2, not %3").arg(i).arg(inv_freq[i]).arg(expected)));
        }
    }

    void sizes_are_read() {
        const auto config = read(test::tiny_config());
        QVERIFY2(config, config ? "" : config.error().message.c_str());
        QCOMPARE(config->architecture, Architecture::llama);
        QCOMPARE(config->hidden_size, int64_t{32});
        QCOMPARE(config->num_key_value_heads, int64_t{1});
        QCOMPARE(config->head_dim, int64_t{16});
        QCOMPARE(config->rms_norm_eps, 1e-5f);
        QVERIFY(config->tie_word_embeddings && !config->qkv_bias);
        QCOMPARE(config->eos_token_ids, std::vector<int32_t>{2});
    }
    void what_is_missing_is_transformers_default() {
        Json json = test::tiny_config();
        for (const char* key :
             {"num_key_value_heads", "rms_norm_eps", "rope_theta", "hidden_act",
              "tie_word_embeddings", "max_position_embeddings", "architectures"}) {
            json.erase(key);
        }
        const auto llama = read(json);
        QVERIFY(llama);
        QCOMPARE(llama->num_key_value_heads, int64_t{2});
        QCOMPARE(llama->rms_norm_eps, 1e-6f);
        QCOMPARE(llama->rope_theta, 10000.0);
        QCOMPARE(llama->max_position_embeddings, int64_t{2048});
        QVERIFY(!llama->tie_word_embeddings);
        json["model_type"] = "qwen2";
        json["eos_token_id"] = nullptr;
        const auto qwen2 = read(json);
        QVERIFY(qwen2);
        QVERIFY(qwen2->qkv_bias);
        QCOMPARE(qwen2->max_position_embeddings, int64_t{32768});
        QVERIFY(qwen2->eos_token_ids.empty());
    }
    void settings_that_change_nothing_are_accepted() {
        Json json = test::tiny_config();
        json["model_type"] = "qwen2";
        json["architectures"] = {"Qwen2ForCausalLM"};
        json["use_sliding_window"] = true;
        json["sliding_window"] = 16;
        json["max_window_layers"] = 2;  // as many as there are layers: none of them slides
        json["layer_types"] = {"full_attention", "full_attention"};
        json["rope_scaling"] = nullptr;
        QVERIFY(read(json));
        json = test::tiny_config();
        json["attention_bias"] = true;
        QVERIFY(read(json)->qkv_bias);
    }
    void generation_config_adds_to_the_ends() {
        auto config = read(test::tiny_config());
        test::write_file(path("generation_config.json"),
                         R"({"eos_token_id": [7, 2], "temperature": 0.7, "top_k": 20, "top_p": 0.8,
                            "repetition_penalty": 1.1, "do_sample": true})");
        const auto defaults = read_generation_config(path("generation_config.json"), *config);
        QVERIFY(defaults);
        QCOMPARE(config->eos_token_ids, (std::vector<int32_t>{2, 7}));
        QCOMPARE(defaults->temperature, std::optional(0.7));
        QCOMPARE(defaults->top_k, std::optional(20));
        QCOMPARE(defaults->top_p, std::optional(0.8));
        QCOMPARE(defaults->repetition_penalty, std::optional(1.1));
        QVERIFY(!defaults->min_p);
    }
};

QTEST_APPLESS_MAIN(TestHfConfig)
#include "tst_hf_config.moc"
