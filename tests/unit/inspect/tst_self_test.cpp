// SPDX-License-Identifier: GPL-3.0-or-later
// The self-test, made small; and whether it would tell if the inspector were wrong.
#include <QTest>

#include "core/inspect/self_test_report.h"

using namespace lockstep;

namespace {

const KernelPath& path(const char* name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

// One model, the middle layer, no controls.
SelfTestRequest small_request(std::vector<std::string> faults) {
    SelfTestRequest request;
    request.subjects = {tiny_subjects().front()};
    request.candidate = path("fused");
    request.faults = std::move(faults);
    request.thirds = {1};
    request.threads = 2;
    request.controls = 0;
    return request;
}

SelfTestCell cell_named(std::vector<std::string> causes, const char* confidence) {
    SelfTestCell cell;
    cell.fault = {"rope_missing", 1};
    cell.step = StepId::qkv;
    cell.outcome = SelfTestOutcome::found;
    cell.causes = std::move(causes);
    cell.confidence = confidence;
    return cell;
}

}  // namespace

class TestSelfTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_fault_is_found_and_named() {
        SelfTestRequest request = small_request({});
        request.subjects = tiny_subjects();
        request.controls = 3 * 24;  // tiny-qwen2 in each dtype
        const auto result = run_self_test(request);
        QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
        const SelfTestTotals totals = totals_of(result->cells);
        const std::string table = self_test_table(*result);
        QVERIFY2(totals.cells > 240, table.c_str());
        QVERIFY2(totals.good(), table.c_str());
        QVERIFY2(result->controls.alarms.empty(), table.c_str());
        QCOMPARE(result->controls.comparisons, 3 * 24);
        QCOMPARE(totals.diagnosed, totals.found);
    }

    // An injector that plants its faults one layer too late must not pass for a right one.
    void a_fault_in_another_layer_is_a_wrong_place() {
        SelfTestRequest request = small_request({"rope_missing", "silu_missing"});
        request.plant = [](const KernelPath& base, FaultSpec fault,
                           const std::shared_ptr<const Model>& model) {
            ++fault.layer;
            return plant_fault(base, fault, model);
        };
        const auto result = run_self_test(request);
        QVERIFY(result.has_value());
        QCOMPARE(result->cells.size(), size_t{4});
        for (const SelfTestCell& cell : result->cells) {
            QCOMPARE(cell.outcome, SelfTestOutcome::wrong_place);
            QVERIFY(cell.causes.empty());
        }
        QVERIFY(!totals_of(result->cells).good());
        const std::string table = self_test_table(*result);
        QVERIFY2(table.find("wrong_place, pass 0 layer 3 qkv") != std::string::npos, table.c_str());
    }

    // In the same layer, but in prefill where it was to be in decode.
    void a_fault_in_another_pass_is_a_wrong_place() {
        SelfTestCell cell = cell_named({}, "");
        Comparison comparison;
        comparison.first = Divergence{0, 0, 1, StepId::qkv, "q", 0};
        QCOMPARE(place_outcome(cell, comparison), SelfTestOutcome::found);
        cell.decode = true;
        QCOMPARE(place_outcome(cell, comparison), SelfTestOutcome::wrong_place);
        comparison.first->pass = 1;
        QCOMPARE(place_outcome(cell, comparison), SelfTestOutcome::found);
        comparison.first->step = StepId::attention;
        QCOMPARE(place_outcome(cell, comparison), SelfTestOutcome::wrong_place);
        comparison.first.reset();
        QCOMPARE(place_outcome(cell, comparison), SelfTestOutcome::missed);
    }

    // A comparison that sees nothing where truth shows that there is something has missed it.
    void an_unseen_fault_is_missed_and_not_set_apart() {
        SelfTestRequest request = small_request({"rope_missing"});
        request.plant = [](const KernelPath& base, const FaultSpec& fault,
                           const std::shared_ptr<const Model>& model) -> Result<KernelPath> {
            if (base.name != "truth") return base;
            return plant_fault(base, fault, model);
        };
        const auto result = run_self_test(request);
        QVERIFY(result.has_value());
        for (const SelfTestCell& cell : result->cells) {
            QCOMPARE(cell.outcome, SelfTestOutcome::missed);
            QVERIFY(cell.effect > 2);
        }
        QVERIFY(!totals_of(result->cells).good());
    }

    void what_has_no_effect_is_set_apart() {
        const auto result = run_self_test(small_request({"hidden_row_shifted"}));
        QVERIFY(result.has_value());
        QCOMPARE(result->cells.size(), size_t{2});
        QCOMPARE(result->cells[0].outcome, SelfTestOutcome::found);
        QCOMPARE(result->cells[1].outcome, SelfTestOutcome::no_effect);  // one row has no neighbour
        QVERIFY(!totals_of(result->cells).good());                       // half of all apart
    }

    void a_wrong_cause_counts() {
        QVERIFY(cell_named({"rope_missing"}, "high").cause_right());
        QVERIFY(cell_named({"k_rope_missing", "rope_missing"}, "ambiguous").cause_right());
        QVERIFY(!cell_named({"k_rope_missing"}, "high").cause_right());
        QVERIFY(cell_named({"k_rope_missing"}, "high").cause_wrong());
        QVERIFY(!cell_named({"unknown"}, "none").cause_wrong());
        QVERIFY(!cell_named({}, "").cause_wrong());
        std::vector<SelfTestCell> cells(99, cell_named({"rope_missing"}, "high"));
        QVERIFY(totals_of(cells).good());
        cells.push_back(cell_named({"unknown"}, "none"));
        QVERIFY(totals_of(cells).good());
        cells.back() = cell_named({"k_rope_missing"}, "high");
        QVERIFY(!totals_of(cells).good());
        QVERIFY(self_test_table({"fused", cells, {}, 0}).find("named k_rope_missing (high") !=
                std::string::npos);
        QVERIFY(!totals_of({}).good());
    }

    void a_path_that_is_not_honest_raises_alarms() {
        SelfTestRequest request = small_request({});
        request.controls = 6;
        request.candidate.down = [right = request.candidate.down](const DownArgs& args,
                                                                  Stream& stream) -> Status {
            DownArgs changed = args;
            changed.mlp.shape[1] -= 1;
            changed.down_proj.shape[1] -= 1;
            return right(changed, stream);
        };
        const auto controls = run_controls(request);
        QVERIFY(controls.has_value());
        QVERIFY(controls->comparisons >= 6);
        QCOMPARE(controls->alarms.size(), static_cast<size_t>(controls->comparisons));
    }

    void it_can_be_stopped_and_written() {
        SelfTestRequest request = small_request({"silu_missing"});
        const auto result = run_self_test(request);
        QVERIFY(result.has_value());
        const OrderedJson json = self_test_json(*result);
        QCOMPARE(json["totals"]["cells"].get<int>(), 2);
        QCOMPARE(json["cells"][0]["fault"].get<std::string>(), std::string("silu_missing"));
        QCOMPARE(json["cells"][1]["mode"].get<std::string>(), std::string("decode"));
        request.progress = [](const CompareProgress&) { return false; };
        const auto stopped = run_self_test(request);
        QVERIFY(!stopped.has_value());
        QCOMPARE(stopped.error().kind, ErrorKind::cancelled);
    }
};

QTEST_APPLESS_MAIN(TestSelfTest)
#include "tst_self_test.moc"
