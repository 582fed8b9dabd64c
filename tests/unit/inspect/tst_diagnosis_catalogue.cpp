// SPDX-License-Identifier: GPL-3.0-or-later
// Every fault of the catalogue, planted as a real bug would act, and the cause that is named for
// it.
#include <QTest>

#include "core/inspect/candidate.h"
#include "core/inspect/fault.h"
#include "core/inspect/inspection.h"
#include "tests/support/diagnosis_cases.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

struct Place {
    const char* recipe;
    DType dtype;
    const char* base;  // the path that the fault is planted in
    size_t tokens;
    int decode_steps;
};

constexpr std::array places{
    Place{"qwen2-gqa7-tied", DType::bf16, "fused", 22, 0},
    Place{"qwen2-gqa3-untied", DType::bf16, "reference", 22, 0},
    Place{"llama-gqa3-llama3", DType::bf16, "fused", 43, 0},
    Place{"llama-gqa2-linear", DType::f32, "fused", 19, 0},
    Place{"qwen2-gqa3-untied", DType::f16, "fused", 27, 0},
    Place{"qwen2-gqa3-untied", DType::bf16, "fused", 13, 1},
    Place{"llama-gqa3-llama3", DType::bf16, "reference", 13, 1},
};

}  // namespace

class TestDiagnosisCatalogue : public QObject {
    Q_OBJECT
    std::map<std::string, std::shared_ptr<const Model>> models_;

    std::shared_ptr<const Model> model(const Place& place) {
        auto& slot = models_[std::string(place.recipe) + std::to_string(int(place.dtype))];
        if (slot) return slot;
        const auto recipes = read_tiny_recipes();
        for (const TinyRecipe& recipe : *recipes) {
            if (recipe.name == place.recipe) slot = make_tiny_model(recipe, place.dtype);
        }
        return slot;
    }

  private Q_SLOTS:
    void a_planted_fault_is_named_data() {
        QTest::addColumn<int>("place");
        QTest::addColumn<QString>("fault");
        QTest::addColumn<int>("layer");
        for (size_t place = 0; place < places.size(); ++place) {
            const ModelConfig& config = model(places[place])->config;
            const int layers = static_cast<int>(config.num_hidden_layers);
            for (const FaultInfo& fault : fault_catalog()) {
                if (!fault_without_effect(fault, config).empty()) continue;
                const int layer = fault.step == StepId::embed    ? -1
                                  : fault.step == StepId::logits ? layers
                                                                 : static_cast<int>(place) % layers;
                const std::string row =
                    std::string(places[place].recipe) + " " +
                    std::string(dtype_info(places[place].dtype).name) + " " + places[place].base +
                    (places[place].decode_steps > 0 ? " decode " : " ") + std::string(fault.name);
                QTest::newRow(row.c_str())
                    << static_cast<int>(place)
                    << QString::fromUtf8(fault.name.data(), qsizetype(fault.name.size())) << layer;
            }
        }
    }
    void a_planted_fault_is_named() {
        QFETCH(int, place);
        QFETCH(QString, fault);
        QFETCH(int, layer);
        const Place& where = places[static_cast<size_t>(place)];
        const auto result = inspect_fault(model(where), where.base, {fault.toStdString(), layer},
                                          where.tokens, where.decode_steps);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        if (!result->diagnosis) QSKIP("under the noise floor here, or without effect");
        QCOMPARE(result->comparison.first->layer, layer);
        QVERIFY2(names(*result->diagnosis, fault.toStdString()), told(*result->diagnosis).c_str());
    }
};

QTEST_APPLESS_MAIN(TestDiagnosisCatalogue)
#include "tst_diagnosis_catalogue.moc"
