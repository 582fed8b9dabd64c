// SPDX-License-Identifier: GPL-3.0-or-later
// What a diagnosis says of faults that are written here, apart from those that can be planted: the
// right number, several causes where they can't be told apart, and nothing where nothing fits.
#include <QTest>
#include <atomic>
#include <cmath>

#include "core/inspect/diagnosis_pattern.h"
#include "core/inspect/diagnosis_words.h"
#include "tests/support/diagnosis_cases.h"
#include "tests/support/tiny_model.h"
#include "tests/support/wrong_step.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

const KernelPath& fused() {
    return *find_kernel_path(DeviceKind::cpu, "fused");
}
const KernelPath& reference() {
    return *find_kernel_path(DeviceKind::cpu, "reference");
}

KernelPath wrong_embed(ArgsChange<EmbedArgs> before, ArgsChange<EmbedArgs> after = nullptr) {
    return wrong_step<EmbedArgs>(fused(), &KernelPath::embed, -1, before, after);
}
KernelPath wrong_qkv(ArgsChange<QkvArgs> before, ArgsChange<QkvArgs> after = nullptr) {
    return wrong_step<QkvArgs>(fused(), &KernelPath::qkv, 1, before, after);
}
KernelPath wrong_attention(ArgsChange<AttentionArgs> before,
                           ArgsChange<AttentionArgs> after = nullptr) {
    return wrong_step<AttentionArgs>(fused(), &KernelPath::attention, 1, before, after);
}
KernelPath wrong_attn_output(ArgsChange<AttnOutputArgs> before,
                             ArgsChange<AttnOutputArgs> after = nullptr) {
    return wrong_step<AttnOutputArgs>(fused(), &KernelPath::attn_output, 1, before, after);
}
KernelPath wrong_gate_up(ArgsChange<GateUpArgs> before, ArgsChange<GateUpArgs> after = nullptr) {
    return wrong_step<GateUpArgs>(fused(), &KernelPath::gate_up, 1, before, after);
}
KernelPath wrong_down(ArgsChange<DownArgs> before, ArgsChange<DownArgs> after = nullptr) {
    return wrong_step<DownArgs>(fused(), &KernelPath::down, 1, before, after);
}
KernelPath wrong_logits(ArgsChange<LogitsArgs> before, ArgsChange<LogitsArgs> after = nullptr) {
    return wrong_step<LogitsArgs>(fused(), &KernelPath::logits, -2, before, after);
}

Tensor appended(const Tensor& cache, const QkvArgs& args) {
    return cache.rows(args.context.first_row, args.hidden.shape[0]);
}

// A tensor of values that a fault reads instead; kept to the end of the program.
Tensor kept_copy(const Tensor& from) {
    static std::vector<std::unique_ptr<std::vector<char>>> kept;
    const auto bytes = static_cast<size_t>(from.bytes());
    kept.push_back(std::make_unique<std::vector<char>>(bytes));
    std::memcpy(kept.back()->data(), from.data, bytes);
    Tensor copy = from;
    copy.data = kept.back()->data();
    return copy;
}

float noise_of(int64_t row, int64_t column) {
    return static_cast<float>(std::sin(static_cast<double>(row * 7919 + column * 104729)));
}

struct Numbered {
    const char* what;
    KernelPath path;
    const char* cause;
    const char* parameter;
    double least, most;  // of its value
};

// Faults of the catalogue with other numbers than it has.
std::vector<Numbered> numbered() {
    return {
        {"k times 1.37",
         wrong_qkv(nullptr,
                   [](QkvArgs& a) {
                       edit(appended(a.k_cache, a),
                            [](int64_t, int64_t, float x) { return 1.37f * x; });
                   }),
         "k_output_scaled", "factor", 1.36, 1.38},
        {"eps of 0.4", wrong_qkv([](QkvArgs& a) { a.rms_norm_eps = 0.4f; }), "input_norm_eps_wrong",
         "eps", 0.38, 0.42},
        {"down's output halved",
         wrong_down(
             nullptr,
             [](DownArgs& a) { edit(a.hidden, [](int64_t, int64_t, float x) { return x / 2; }); }),
         "down_output_scaled", "factor", 0.499, 0.501},
        {"7 columns of q skipped",
         wrong_qkv(nullptr,
                   [](QkvArgs& a) {
                       const int64_t columns = a.q.shape[1] * a.q.shape[2];
                       edit(a.q,
                            [=](int64_t, int64_t c, float x) { return c < columns - 7 ? x : 0; });
                   }),
         "q_tail_columns_skipped", "columns", 7, 7},
        {"5 rows of hidden skipped",
         wrong_down(nullptr,
                    [](DownArgs& a) {
                        const int64_t rows = a.hidden.shape[0];
                        edit(a.hidden,
                             [=](int64_t t, int64_t, float x) { return t < rows - 5 ? x : 0; });
                    }),
         "down_tail_rows_skipped", "rows", 5, 5},
        {"scores times 0.31", wrong_attention([](AttentionArgs& a) { a.scale = 0.31f; }),
         "softmax_scale_wrong", "scale", 0.305, 0.315},
        {"the token before", wrong_embed([](EmbedArgs& a) {
             a.ids = kept_copy(a.ids);
             for (int64_t t = 0; t < a.ids.shape[0]; ++t)
                 a.ids.as<int32_t>()[t] = std::max(a.ids.as<int32_t>()[t] - 1, 0);
         }),
         "embed_row_shifted", "offset", -1, -1},
        {"embed times 4",
         wrong_embed(
             nullptr,
             [](EmbedArgs& a) { edit(a.hidden, [](int64_t, int64_t, float x) { return 4 * x; }); }),
         "embed_scaled", "factor", 3.99, 4.01},
        {"RoPE one position early", wrong_qkv([](QkvArgs& a) {
             // Tables that begin one row late: row p has the angles of p - 1.
             for (Tensor* table : {&a.rope_cos, &a.rope_sin}) {
                 const Tensor copy = kept_copy(*table);
                 const auto row = static_cast<size_t>(table->shape[1]) * sizeof(float);
                 const auto bytes = static_cast<size_t>(table->bytes());
                 std::memmove(copy.as<char>() + row, copy.as<char>(), bytes - row);
                 const bool sine = table == &a.rope_sin;
                 const float* second = table->as<float>() + table->shape[1];
                 for (size_t i = 0; i < row / sizeof(float); ++i)
                     copy.as<float>()[i] = sine ? -second[i] : second[i];
                 *table = copy;
             }
         }),
         "rope_position_off_by_one", "offset", -1, -1},
    };
}

struct Beyond {
    const char* what;
    KernelPath path;
};

// Faults that no name of the catalogue fits.
std::vector<Beyond> beyond_the_catalogue() {
    const auto on_q = [](auto change) {
        return wrong_qkv(nullptr, [change](QkvArgs& a) { edit(a.q, change); });
    };
    const auto on_attn = [](auto change) {
        return wrong_attention(nullptr, [change](AttentionArgs& a) { edit(a.attn, change); });
    };
    const auto on_mlp = [](auto change) {
        return wrong_gate_up(nullptr, [change](GateUpArgs& a) { edit(a.mlp, change); });
    };
    const auto on_hidden = [](auto change) {
        return wrong_down(nullptr, [change](DownArgs& a) { edit(a.hidden, change); });
    };
    return {
        {"one head of q scaled",
         on_q([](int64_t, int64_t c, float x) { return c / 32 == 2 ? 1.3f * x : x; })},
        {"q clipped", on_q([](int64_t, int64_t, float x) { return std::clamp(x, -0.5f, 0.5f); })},
        {"q's columns turned by one", wrong_qkv([](QkvArgs& a) {
             const Tensor copy = kept_copy(a.q_proj);
             const auto row = static_cast<size_t>(dtype_bytes(copy.dtype, copy.shape[1]));
             std::rotate(copy.as<char>(), copy.as<char>() + row,
                         copy.as<char>() + static_cast<size_t>(copy.bytes()));
             a.q_proj = copy;
         })},
        {"v negated", wrong_qkv(nullptr,
                                [](QkvArgs& a) {
                                    edit(appended(a.v_cache, a),
                                         [](int64_t, int64_t, float x) { return -x; });
                                })},
        {"weights of few bits", wrong_qkv([](QkvArgs& a) {
             a.v_proj = kept_copy(a.v_proj);
             edit(a.v_proj, [](int64_t, int64_t, float x) { return std::round(x * 40) / 40; });
         })},
        {"noise on attn",
         on_attn([](int64_t t, int64_t c, float x) { return x + 0.3f * noise_of(t, c); })},
        {"attn's rows reversed",
         wrong_attention(nullptr,
                         [](AttentionArgs& a) {
                             const int64_t rows = a.attn.shape[0], columns = a.attn.shape[1];
                             const Tensor copy = kept_copy(a.attn);
                             edit(a.attn, [&](int64_t t, int64_t c, float) {
                                 return load_element(copy.data, copy.dtype,
                                                     (rows - 1 - t) * columns + c);
                             });
                         })},
        {"one NaN", on_attn([](int64_t t, int64_t c, float x) {
             return t == 3 && c == 5 ? std::nanf("") : x;
         })},
        {"every 16th column of mlp left out",
         on_mlp([](int64_t, int64_t c, float x) { return c % 16 == 5 ? 0 : x; })},
        {"mlp constant", on_mlp([](int64_t, int64_t, float) { return 0.25f; })},
        {"mlp square-rooted", on_mlp([](int64_t, int64_t, float x) {
             return std::copysign(std::sqrt(std::abs(x)), x);
         })},
        {"a bias on hidden",
         on_hidden([](int64_t, int64_t c, float x) { return x + (c % 2 ? 0.2f : 0.1f); })},
        {"hidden's halves swapped",
         wrong_down(nullptr,
                    [](DownArgs& a) {
                        const int64_t columns = a.hidden.shape[1];
                        const Tensor copy = kept_copy(a.hidden);
                        edit(a.hidden, [&](int64_t t, int64_t c, float) {
                            return load_element(copy.data, copy.dtype,
                                                t * columns + (c + columns / 2) % columns);
                        });
                    })},
        {"the residual of one row lost",
         wrong_attn_output(nullptr,
                           [](AttnOutputArgs& a) {
                               edit(a.hidden_attn, [&](int64_t t, int64_t c, float x) {
                                   return t == 4 ? x - load_element(a.hidden.data, a.hidden.dtype,
                                                                    t * a.hidden.stride[0] + c)
                                                 : x;
                               });
                           })},
        {"half of the residual",
         wrong_attn_output(nullptr,
                           [](AttnOutputArgs& a) {
                               edit(a.hidden_attn, [&](int64_t t, int64_t c, float x) {
                                   return x - 0.5f * load_element(a.hidden.data, a.hidden.dtype,
                                                                  t * a.hidden.stride[0] + c);
                               });
                           })},
        {"capped logits", wrong_logits(nullptr,
                                       [](LogitsArgs& a) {
                                           edit(a.logits, [](int64_t, int64_t, float x) {
                                               return 2 * std::tanh(x / 2);
                                           });
                                       })},
        {"two logits exchanged",
         wrong_logits(nullptr,
                      [](LogitsArgs& a) {
                          const Tensor copy = kept_copy(a.logits);
                          edit(a.logits, [&](int64_t t, int64_t c, float) {
                              return copy.as<float>()[t * a.logits.shape[1] + (c < 2 ? 1 - c : c)];
                          });
                      })},
        {"embed noisy", wrong_embed(nullptr,
                                    [](EmbedArgs& a) {
                                        edit(a.hidden, [](int64_t t, int64_t c, float x) {
                                            return x * (1 + 0.1f * noise_of(t, c));
                                        });
                                    })},
    };
}

bool confident(const Diagnosis& diagnosis) {
    return std::any_of(diagnosis.causes.begin(), diagnosis.causes.end(),
                       [](const Cause& cause) { return cause.confidence == "high"; });
}

// An honest step of the reference's pass, as if it were suspected.
Result<Diagnosis> suspect(const std::shared_ptr<const Model>& model, const KernelPath& path,
                          int layer, StepId step, size_t tokens) {
    CompareRequest request;
    request.model = model;
    request.threads = 2;
    request.prompts = {spread_ids(tokens, model->config.vocab_size)};
    request.candidate = path;
    request.reference = request.floor = reference();
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    Divergence where;
    where.layer = layer;
    where.step = step;
    where.position = static_cast<int64_t>(tokens) - 1;
    LOCKSTEP_ASSIGN(const StepCase kept, reopen_step(request, where));
    DiagnosisRequest wanted;
    wanted.step = &kept;
    wanted.model = model;
    wanted.threads = 2;
    return diagnose(wanted);
}

}  // namespace

class TestDiagnosis : public QObject {
    Q_OBJECT
    std::map<std::string, std::shared_ptr<const Model>> models_;

    std::shared_ptr<const Model> model(const std::string& name, DType dtype = DType::bf16) {
        auto& slot = models_[name + std::string(dtype_info(dtype).name)];
        if (slot) return slot;
        const auto recipes = read_tiny_recipes();
        for (const TinyRecipe& recipe : *recipes) {
            if (recipe.name == name) slot = make_tiny_model(recipe, dtype);
        }
        return slot;
    }
    std::shared_ptr<const Model> qwen() { return model("qwen2-gqa3-untied"); }

    Diagnosis diagnosis_of(const KernelPath& path, size_t tokens, int decode_steps = 0) {
        const auto result = inspect_path(qwen(), path, tokens, decode_steps);
        if (!result || !result->diagnosis) return {};
        return *result->diagnosis;
    }

  private Q_SLOTS:
    void the_number_that_fits_is_said_data() {
        QTest::addColumn<int>("index");
        const auto all = numbered();
        for (size_t i = 0; i < all.size(); ++i) QTest::newRow(all[i].what) << static_cast<int>(i);
    }
    void the_number_that_fits_is_said() {
        QFETCH(int, index);
        const Numbered fault = numbered()[static_cast<size_t>(index)];
        const Diagnosis diagnosis = diagnosis_of(fault.path, 22);
        QVERIFY2(names(diagnosis, fault.cause), told(diagnosis).c_str());
        QVERIFY2(confident(diagnosis), told(diagnosis).c_str());
        const std::string text = diagnosis.causes[0].parameters.at(fault.parameter);
        const double value = std::stod(text);
        QVERIFY2(value >= fault.least && value <= fault.most, text.c_str());
    }

    void what_no_fault_explains_is_unknown_data() {
        QTest::addColumn<int>("index");
        const auto all = beyond_the_catalogue();
        for (size_t i = 0; i < all.size(); ++i) QTest::newRow(all[i].what) << static_cast<int>(i);
    }
    void what_no_fault_explains_is_unknown() {
        QFETCH(int, index);
        const Beyond fault = beyond_the_catalogue()[static_cast<size_t>(index)];
        for (const size_t tokens : {size_t{22}, size_t{7}}) {
            const Diagnosis diagnosis = diagnosis_of(fault.path, tokens);
            QVERIFY2(!diagnosis.causes.empty(), "not found at all");
            QVERIFY2(!confident(diagnosis), told(diagnosis).c_str());
            QCOMPARE(diagnosis.causes[0].cause, std::string("unknown"));
            QVERIFY(!diagnosis.pattern.rows.empty() && !diagnosis.excluded.empty());
        }
    }

    // A single row hides much: whatever is named there with confidence must be right.
    void of_one_row_nothing_wrong_is_said_with_confidence() {
        for (const Beyond& fault : beyond_the_catalogue()) {
            const Diagnosis diagnosis = diagnosis_of(fault.path, 1);
            QVERIFY2(!confident(diagnosis), (fault.what + (": " + told(diagnosis))).c_str());
        }
    }

    // Faults that no hypothesis has a name for but which one reproduces are told of in words.
    void what_is_reproduced_without_a_name_is_told() {
        const LayerWeights& next = qwen()->weights.layers[0];
        const Diagnosis diagnosis =
            diagnosis_of(wrong_qkv([&](QkvArgs& a) { a.v_proj = next.v_proj; }), 22);
        QCOMPARE(diagnosis.causes.size(), size_t{1});
        QCOMPARE(diagnosis.causes[0].cause, std::string("unknown"));
        QVERIFY2(diagnosis.causes[0].what.find("v_proj is that of layer 0") != std::string::npos,
                 told(diagnosis).c_str());
    }

    void two_faults_of_one_step_are_named_together_data() {
        QTest::addColumn<QString>("first");
        QTest::addColumn<QString>("second");
        const std::pair<const char*, const char*> pairs[] = {
            {"k_bias_dropped", "k_output_scaled"},
            {"k_bias_dropped", "k_proj_transposed"},
            {"q_bias_dropped", "input_norm_weight_ignored"},
            {"o_proj_transposed", "attn_residual_doubled"},
            {"attn_residual_missing", "attn_output_tail_columns_skipped"},
            {"silu_missing", "mlp_tail_columns_skipped"},
            {"mlp_residual_doubled", "down_output_scaled"},
        };
        for (const auto& [first, second] : pairs)
            QTest::addRow("%s, %s", first, second) << first << second;
    }
    void two_faults_of_one_step_are_named_together() {
        QFETCH(QString, first);
        QFETCH(QString, second);
        const Diagnosis diagnosis =
            diagnosis_of(*plant_fault(*plant_fault(fused(), {first.toStdString(), 1}, qwen()),
                                      {second.toStdString(), 1}, qwen()),
                         22);
        QCOMPARE(diagnosis.causes.size(), size_t{2});
        QVERIFY2(names(diagnosis, first.toStdString()), told(diagnosis).c_str());
        QVERIFY2(names(diagnosis, second.toStdString()), told(diagnosis).c_str());
        double explained = 0;
        for (const Cause& cause : diagnosis.causes) {
            QCOMPARE(cause.confidence, std::string("low"));
            explained += cause.explained;
        }
        QVERIFY2(explained > 0.99 && explained < 1.0001, told(diagnosis).c_str());
        QVERIFY(diagnosis_sentence(diagnosis).starts_with("Cause, perhaps two faults: "));
    }

    // What two faults make of each other can't be had from what each makes alone.
    void two_faults_that_act_on_each_other_are_unknown_with_the_nearest_told() {
        const Diagnosis diagnosis =
            diagnosis_of(*plant_fault(*plant_fault(fused(), {"k_bias_dropped", 1}, qwen()),
                                      {"rope_interleaved", 1}, qwen()),
                         22);
        QCOMPARE(diagnosis.causes.size(), size_t{1});
        QCOMPARE(diagnosis.causes[0].cause, std::string("unknown"));
        const std::string said = diagnosis_sentence(diagnosis);
        for (const char* part :
             {"Cause unknown: wrong in q: rows ", "; the nearest, ", "explains "})
            QVERIFY2(said.find(part) != said.npos, said.c_str());
        QVERIFY(!diagnosis.excluded.empty());
    }

    // The case that this program was born from.
    void three_dropped_biases_are_three_causes() {
        const Diagnosis diagnosis = diagnosis_of(
            wrong_qkv([](QkvArgs& a) { a.q_bias = a.k_bias = a.v_bias = Tensor(); }), 22);
        QCOMPARE(diagnosis.causes.size(), size_t{3});
        for (const char* name : {"q_bias_dropped", "k_bias_dropped", "v_bias_dropped"})
            QVERIFY2(names(diagnosis, name), told(diagnosis).c_str());
        QVERIFY(confident(diagnosis));
    }

    void what_can_not_be_told_apart_is_all_named_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("causes");
        QTest::newRow("row shifted, two rows") << "hidden_row_shifted" << 2 << 2;
        QTest::newRow("no mask, two rows") << "causal_mask_missing" << 2 << 2;
        QTest::newRow("nothing written, one row") << "cache_position_off_by_one" << 1 << 2;
        QTest::newRow("rows skipped, one row") << "down_tail_rows_skipped" << 1 << 2;
    }
    void what_can_not_be_told_apart_is_all_named() {
        QFETCH(QString, fault);
        QFETCH(int, tokens);
        QFETCH(int, causes);
        const FaultSpec spec{fault.toStdString(), 1};
        const auto short_prompt =
            inspect_fault(qwen(), "fused", spec, static_cast<size_t>(tokens), 0);
        QVERIFY(short_prompt && short_prompt->diagnosis);
        const Diagnosis& diagnosis = *short_prompt->diagnosis;
        QVERIFY2(diagnosis.causes.size() == static_cast<size_t>(causes), told(diagnosis).c_str());
        QVERIFY2(names(diagnosis, spec.name), told(diagnosis).c_str());
        QVERIFY(!confident(diagnosis));
        QVERIFY(!diagnosis.would_separate.empty());
        // The input that is said to tell them apart does.
        QVERIFY(diagnosis.separating_tokens > tokens);
        const auto longer = inspect_fault(qwen(), "fused", spec,
                                          static_cast<size_t>(diagnosis.separating_tokens), 0);
        QVERIFY(longer && longer->diagnosis);
        QVERIFY2(longer->diagnosis->causes.size() == 1 && confident(*longer->diagnosis),
                 told(*longer->diagnosis).c_str());
        QVERIFY(names(*longer->diagnosis, spec.name));
    }

    void an_honest_step_has_no_cause_data() {
        QTest::addColumn<DType>("dtype");
        QTest::addColumn<QString>("path");
        for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
            for (const char* path : {"fused", "reference", "truth"}) {
                const std::string row = std::string(dtype_info(dtype).name) + " " + path;
                QTest::newRow(row.c_str()) << dtype << QString(path);
            }
        }
    }
    void an_honest_step_has_no_cause() {
        QFETCH(DType, dtype);
        QFETCH(QString, path);
        const KernelPath& honest = *find_kernel_path(DeviceKind::cpu, path.toStdString());
        for (const char* name : {"qwen2-gqa7-tied", "llama-gqa3-llama3"}) {
            const auto suspected = model(name, dtype);
            const int layers = static_cast<int>(suspected->config.num_hidden_layers);
            for (const size_t tokens : {size_t{1}, size_t{13}}) {
                for (int step = 0; step < step_count; ++step) {
                    const auto id = static_cast<StepId>(step);
                    const int layer = id == StepId::embed ? -1 : id == StepId::logits ? layers : 1;
                    const auto diagnosis = suspect(suspected, honest, layer, id, tokens);
                    QVERIFY2(diagnosis.has_value(),
                             diagnosis ? "" : diagnosis.error().message.c_str());
                    QVERIFY2(diagnosis->causes.empty(), told(*diagnosis).c_str());
                }
            }
        }
    }

    void chance_and_memory_are_causes_of_their_own() {
        const auto calls = std::make_shared<std::atomic<int>>(0);
        const Diagnosis chance = diagnosis_of(
            wrong_attention(nullptr,
                            [calls](AttentionArgs& a) {
                                const int call = ++*calls;
                                edit(a.attn, [&](int64_t t, int64_t c, float x) {
                                    return (t * 31 + c * 17 + call * 7) % 23 == 0 ? x + 1 : x;
                                });
                            }),
            9);
        QCOMPARE(chance.causes.size(), size_t{1});
        QCOMPARE(chance.causes[0].cause, std::string("nondeterministic_write"));
        QCOMPARE(chance.causes[0].confidence, std::string("high"));

        const auto before = std::make_shared<std::vector<float>>();
        const Diagnosis memory =
            diagnosis_of(wrong_gate_up(nullptr,
                                       [before](GateUpArgs& a) {
                                           std::vector<float> made;
                                           edit(a.mlp, [&](int64_t, int64_t, float x) {
                                               made.push_back(x);
                                               const size_t i = made.size() - 1;
                                               return i < before->size() ? (*before)[i] : 0;
                                           });
                                           *before = made;
                                       }),
                         9);
        QCOMPARE(memory.causes.size(), size_t{1});
        QCOMPARE(memory.causes[0].cause, std::string("unknown"));
        QCOMPARE(memory.pattern.values, std::string("of an earlier call"));
    }

    void what_was_not_written_is_said() {
        const Diagnosis diagnosis =
            diagnosis_of(wrong_gate_up(nullptr,
                                       [](GateUpArgs& a) {
                                           const int64_t columns = a.mlp.shape[1];
                                           edit(a.mlp, [&](int64_t, int64_t c, float x) {
                                               return c < columns - 8 ? x : std::nanf("");
                                           });
                                       }),
                         9);
        QVERIFY2(names(diagnosis, "mlp_tail_columns_skipped"), told(diagnosis).c_str());
        QCOMPARE(diagnosis.causes[0].parameters.at("columns"), std::string("8"));
        QCOMPARE(diagnosis.causes[0].parameters.at("left"), std::string("not written"));
    }

    void an_error_is_described() {
        const auto pattern = [&](const char* what) {
            for (const Beyond& fault : beyond_the_catalogue()) {
                if (std::string(fault.what) == what) return diagnosis_of(fault.path, 22).pattern;
            }
            return ErrorPattern();
        };
        QCOMPARE(QString::fromStdString(pattern("every 16th column of mlp left out").columns),
                 QString("every 16th from 5"));
        QCOMPARE(pattern("every 16th column of mlp left out").values, std::string("zero"));
        QCOMPARE(pattern("mlp constant").values, std::string("constant"));
        QCOMPARE(pattern("a bias on hidden").sign, std::string("always greater"));
        QCOMPARE(pattern("the residual of one row lost").rows, std::string("4"));
        QCOMPARE(pattern("one NaN").rows, std::string("3"));
        QCOMPARE(pattern("one NaN").columns, std::string("5"));
        QVERIFY(std::abs(pattern("v negated").scale_factor + 1) < 0.01);
    }

    void marks_are_put_into_words_data() {
        QTest::addColumn<QString>("marks");
        QTest::addColumn<QString>("words");
        QTest::newRow("none") << "....."
                              << "none";
        QTest::newRow("all") << "xxxxx"
                             << "all";
        QTest::newRow("one") << "..x.."
                             << "2";
        QTest::newRow("last") << "...xx"
                              << "last 2";
        QTest::newRow("first") << "xxx.."
                               << "first 3";
        QTest::newRow("range") << ".xxx."
                               << "1 to 3";
        QTest::newRow("some") << "xx..x"
                              << "0, 1, 4";
        QTest::newRow("periodic") << ".x..x..x."
                                  << "every 3rd from 1";
        QTest::newRow("periodic but for one") << ".x..x.....x..x."
                                              << "every 3rd from 1";
        QTest::newRow("not all the way") << ".x..x..x....."
                                         << "1, 4, 7";
        QTest::newRow("most") << "xxxxxxxxxx.xxxxxxxxx"
                              << "all";
        QTest::newRow("many") << "x.xx.x.xx..xx.xx..x.x"
                              << "12 of 21";
    }
    void marks_are_put_into_words() {
        QFETCH(QString, marks);
        QFETCH(QString, words);
        std::vector<bool> bits;
        for (const QChar c : marks) bits.push_back(c == 'x');
        QCOMPARE(QString::fromStdString(describe_marks(bits)), words);
    }

    void it_is_said_in_a_sentence_and_in_json() {
        const auto result = inspect_fault(qwen(), "fused", {"k_bias_dropped", 0}, 7, 0);
        QVERIFY(result && result->diagnosis);
        const QString text = QString::fromStdString(diagnosis_sentence(*result->diagnosis));
        QVERIFY2(QRegularExpression(
                     R"(^Cause: k's bias is dropped \(explains (9\d\.\d\d|100\.00)%\)\.$)")
                     .match(text)
                     .hasMatch(),
                 qPrintable(text));
        const OrderedJson json = diagnosis_json(*result->diagnosis);
        QCOMPARE(json.size(), size_t{1});
        QCOMPARE(json[0]["cause"].get<std::string>(), std::string("k_bias_dropped"));
        QCOMPARE(json[0]["confidence"].get<std::string>(), std::string("high"));
        QVERIFY(json[0]["explained"].get<double>() > 0.99);
        QVERIFY(json[0]["next_best"].get<double>() < 0.9);
        QVERIFY(json[0]["parameters"].is_object());
    }

    void it_can_be_stopped() {
        CompareRequest request;
        request.model = qwen();
        request.prompts = {spread_ids(7, qwen()->config.vocab_size)};
        request.candidate = wrong_qkv([](QkvArgs& a) { a.k_bias = Tensor(); });
        request.reference = request.floor = reference();
        request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
        double last = 0;
        request.progress = [&](const CompareProgress& progress) {
            last = progress.fraction;
            return progress.what != "diagnosis" || progress.fraction < 0.9;
        };
        const auto stopped = inspect(request);
        QVERIFY(!stopped.has_value());
        QCOMPARE(static_cast<int>(stopped.error().kind), static_cast<int>(ErrorKind::cancelled));
        QVERIFY(last >= 0.9 && last < 1);
    }
};

QTEST_APPLESS_MAIN(TestDiagnosis)
#include "tst_diagnosis.moc"
