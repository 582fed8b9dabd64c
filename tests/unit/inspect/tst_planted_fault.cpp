// SPDX-License-Identifier: GPL-3.0-or-later
// A fault that is planted where nothing is seen of it: told from one that was missed, in every form
// that a comparison is read in.
#include <QTest>
#include <map>

#include "core/inspect/candidate.h"
#include "core/inspect/html_report.h"
#include "core/inspect/markdown_report.h"
#include "core/inspect/report.h"
#include "core/inspect/self_test.h"
#include "tests/support/diagnosis_cases.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

using Ids = std::vector<int32_t>;

// tiny-qwen2 and tiny-llama: between them every fault can act.
const std::vector<std::shared_ptr<const Model>>& models() {
    static const auto all = [] {
        std::vector<std::shared_ptr<const Model>> loaded;
        for (const SelfTestSubject& subject : tiny_subjects())
            loaded.push_back(*subject.load(DType::bf16, 7));
        return loaded;
    }();
    return all;
}

const std::shared_ptr<const Model>& model_for(const FaultInfo& fault) {
    const bool first = fault_without_effect(fault, models()[0]->config).empty();
    return models()[first ? 0 : 1];
}

FaultSpec second_layer(const FaultInfo& fault, const Model& model) {
    if (fault.step == StepId::embed) return {std::string(fault.name), -1};
    if (fault.step != StepId::logits) return {std::string(fault.name), 1};
    return {std::string(fault.name), static_cast<int>(model.config.num_hidden_layers)};
}

CompareRequest request_for(const char* fault, Ids prompt) {
    const FaultInfo& known = *find_fault(fault);
    CompareRequest request;
    request.model = model_for(known);
    request.threads = 1;
    request.prompts = {std::move(prompt)};
    request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    Candidate opened = *open_candidate({"fused", second_layer(known, *request.model)},
                                       DeviceKind::cpu, request.model);
    request.candidate = opened.path;
    request.plant = opened.plant;
    return request;
}

Inspection inspected(const CompareRequest& request) {
    Result<Inspection> found = inspect(request);
    if (!found) qFatal("%s", found.error().message.c_str());
    return std::move(*found);
}

Inspection inspected(const char* fault, Ids prompt) {
    return inspected(request_for(fault, std::move(prompt)));
}

Ids spread(const char* fault, size_t count) {
    return spread_ids(count, model_for(*find_fault(fault))->config.vocab_size);
}

// Tokens that hide a fault which some hide.
Ids hiding(const FaultInfo& fault) {
    const std::string name(fault.name);
    if (name == "embed_row_shifted")
        return {static_cast<int32_t>(model_for(fault)->config.vocab_size - 1)};
    if (name == "tail_keys_skipped") return spread(name.c_str(), 8);
    if (name.ends_with("_tail_rows_skipped")) return spread(name.c_str(), 4);
    return spread(name.c_str(), 1);
}

std::string all_forms(const Inspection& inspection) {
    return comparison_sentence(inspection.comparison) + html_report(inspection, {"P"}) +
           markdown_report(inspection, {"P"});
}

}  // namespace

class TestPlantedFault : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_fault_shows_but_where_the_catalogue_says_data() {
        QTest::addColumn<QString>("fault");
        for (const FaultInfo& fault : fault_catalog())
            QTest::newRow(fault.name.data()) << QString::fromUtf8(fault.name.data());
    }
    void every_fault_shows_but_where_the_catalogue_says() {
        QFETCH(QString, fault);
        const std::string name = fault.toStdString();
        const FaultInfo& known = *find_fault(name);
        CompareRequest request = request_for(name.c_str(), hiding(known));
        const auto hidden = compare_paths(request);
        QVERIFY(hidden && hidden->planted);
        QCOMPARE(hidden->planted->outcome == PlantOutcome::no_effect, !known.shows_with.empty());
        QCOMPARE(hidden->planted->shows_with(), known.shows_with);
        if (known.shows_with.empty()) return;
        QVERIFY(!hidden->diverged());
        QCOMPARE(hidden->planted->times_floor, 0.0);
        request.prompts = {spread(name.c_str(), separating_tokens)};
        const auto shown = compare_paths(request);
        QVERIFY(shown && shown->planted);
        QVERIFY(shown->planted->outcome != PlantOutcome::no_effect);
        QVERIFY(shown->planted->shows_with().empty());
    }

    void what_changes_nothing_is_said_in_every_form() {
        const Inspection inspection = inspected("rope_interleaved", spread("rope_interleaved", 1));
        const Comparison& comparison = inspection.comparison;
        QVERIFY(!comparison.diverged() && !inspection.diagnosis);
        const std::string said =
            "The fault planted in layer 1, qkv (rope_interleaved) changes nothing on these inputs: "
            "truth with the fault in it is the same bit for bit. It shows with more than one "
            "token: at position 0 nothing is rotated.";
        QCOMPARE(planted_sentence(comparison), said);
        QVERIFY(
            comparison_sentence(comparison).ends_with("matches reference in every step. " + said));
        const std::string html = html_report(inspection, {"P"});
        QVERIFY(html.find(said) != html.npos);
        QVERIFY(html.find("rope_interleaved@layer=1: no_effect") != html.npos);
        const std::string markdown = markdown_report(inspection, {"P"});
        QVERIFY(markdown.find("changes nothing on these inputs") != markdown.npos);
        QVERIFY(markdown.find("It shows with more than one token") != markdown.npos);
        const OrderedJson json = comparison_json(comparison, {"P"});
        QCOMPARE(json["verdict"].get<std::string>(), std::string("match"));
        QCOMPARE(json["planted"].dump(),
                 std::string(R"({"fault":"rope_interleaved","layer":1,"step":"qkv",)"
                             R"("outcome":"no_effect","times_floor":0.0,"shows_with":)"
                             R"("more than one token: at position 0 nothing is rotated"})"));
    }

    void what_is_below_the_noise_floor_is_said_in_every_form() {
        const char* const fault = "input_norm_eps_outside_root";
        const Inspection inspection = inspected(fault, spread(fault, 13));
        const Comparison& comparison = inspection.comparison;
        QVERIFY(!comparison.diverged() && comparison.planted);
        QCOMPARE(comparison.planted->outcome, PlantOutcome::under_floor);
        QVERIFY(comparison.planted->times_floor > 0 && comparison.planted->times_floor < 3);
        const std::string begin =
            "The fault planted in layer 1, qkv (input_norm_eps_outside_root) has an effect below "
            "the noise floor on these inputs: truth with the fault in it is a match, too (";
        const std::string said = planted_sentence(comparison);
        QVERIFY2(said.starts_with(begin), said.c_str());
        QVERIFY(said.find("It shows with") == said.npos);
        QVERIFY(comparison_sentence(comparison).find(begin) != std::string::npos);
        const std::string html = html_report(inspection, {"P"});
        QVERIFY(html.find(begin) != html.npos && html.find(": under_floor") != html.npos);
        const std::string markdown = markdown_report(inspection, {"P"});
        QVERIFY(markdown.find("has an effect below the noise floor") != markdown.npos);
        const OrderedJson json = comparison_json(comparison, {"P"})["planted"];
        QCOMPARE(json["outcome"].get<std::string>(), std::string("under_floor"));
        QVERIFY(json["times_floor"].get<double>() > 0);
        QVERIFY(json["shows_with"].is_null());
    }

    void a_fault_with_effect_never_gets_this_note() {
        for (const char* const fault : {"rope_interleaved", "k_output_scaled", "silu_missing",
                                        "down_output_stale", "wrong_head", "embed_scaled"}) {
            const Inspection inspection = inspected(fault, spread(fault, 9));
            const Comparison& comparison = inspection.comparison;
            QVERIFY2(comparison.diverged() && comparison.planted, fault);
            QCOMPARE(comparison.planted->outcome, PlantOutcome::found);
            QVERIFY(planted_sentence(comparison).empty());
            const std::string forms = all_forms(inspection);
            for (const char* const note :
                 {"fault planted in", "changes nothing", "below the noise"})
                QVERIFY2(forms.find(note) == forms.npos, fault);
            const OrderedJson json = comparison_json(comparison, {"P"})["planted"];
            QCOMPARE(json["outcome"].get<std::string>(), std::string("found"));
            QVERIFY(json["times_floor"].is_null() && json["shows_with"].is_null());
        }
    }

    // It shows in the last decode step, whatever the prompt's pass had to say.
    void one_pass_that_shows_it_is_enough() {
        CompareRequest request = request_for("rope_interleaved", spread("rope_interleaved", 1));
        request.decode_steps = 1;
        const auto found = compare_paths(request);
        QVERIFY(found && found->planted);
        QCOMPARE(found->planted->outcome, PlantOutcome::found);
        request.prompts = {spread("rope_interleaved", 1), spread("rope_interleaved", 9)};
        request.decode_steps = 0;
        const auto second = compare_paths(request);
        QVERIFY(second && second->planted);
        QCOMPARE(second->planted->outcome, PlantOutcome::found);
    }

    // The candidate has a fault of its own elsewhere, and the planted one can't be seen.
    void it_is_said_beside_another_divergence() {
        CompareRequest request = request_for("rope_interleaved", spread("rope_interleaved", 1));
        request.candidate = *plant_fault(request.candidate, {"silu_missing", 2}, request.model);
        const auto found = compare_paths(request);
        QVERIFY(found && found->diverged() && found->planted);
        QCOMPARE(found->planted->outcome, PlantOutcome::no_effect);
        const std::string said = comparison_sentence(*found);
        QVERIFY(said.find("parts from reference in layer 2, gate_up") != said.npos);
        QVERIFY(said.find("(rope_interleaved) changes nothing") != said.npos);
    }

    // A candidate that is none: it was said to have the fault, and does not.
    void a_fault_that_truth_shows_is_missed() {
        CompareRequest request = request_for("rope_missing", spread("rope_missing", 9));
        request.candidate = request.floor;
        const auto found = compare_paths(request);
        QVERIFY(found && !found->diverged() && found->planted);
        QCOMPARE(found->planted->outcome, PlantOutcome::missed);
        QVERIFY(found->planted->times_floor > 2);
        QVERIFY(planted_sentence(*found).find("is not seen, though") != std::string::npos);
    }

    void without_a_plant_nothing_is_said() {
        CompareRequest request = request_for("rope_missing", spread("rope_missing", 1));
        request.candidate = request.floor;
        request.plant.reset();
        const auto found = compare_paths(request);
        QVERIFY(found && !found->planted);
        QVERIFY(planted_sentence(*found).empty());
        QVERIFY(comparison_json(*found, {"P"})["planted"].is_null());
    }
};

QTEST_APPLESS_MAIN(TestPlantedFault)
#include "tst_planted_fault.moc"
