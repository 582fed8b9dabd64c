// SPDX-License-Identifier: GPL-3.0-or-later
// The inspector on a GPU: it finds the faults that it plants itself and names them, leaves honest
// paths in peace, and judges traces wherever they were captured.
#include <QTest>

#include "core/inspect/self_test_report.h"
#include "core/inspect/trace.h"
#include "core/inspect/trace_writer.h"
#include "core/model/model_copy.h"
#include "kernels/gpu_info.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

template <class T>
const char* why(const Result<T>& result) {
    return result ? "" : result.error().message.c_str();
}

const KernelPath& path(DeviceKind device, const char* name) {
    return *find_kernel_path(device, name);
}

}  // namespace

class TestGpuInspect : public QObject {
    Q_OBJECT
    Device* gpu_ = nullptr;
    std::shared_ptr<const Model> here_, there_;  // one model, on the CPU and on the GPU
    QTemporaryDir folder_;

    std::filesystem::path file() const { return folder_.filePath("t.safetensors").toStdString(); }

    Status capture(const std::shared_ptr<const Model>& model, const KernelPath& wanted) const {
        TraceRequest request;
        request.model = model;
        request.prompt = {3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26, 43};
        request.path = wanted;
        request.decode_steps = 3;
        return write_trace(request, file()).map([](const TraceWritten&) {});
    }

    Result<Inspection> judge(const std::shared_ptr<const Model>& model) const {
        CompareRequest request;
        request.model = model;
        LOCKSTEP_ASSIGN(request.trace, Trace::open(file()));
        request.candidate.name = "trace";
        const DeviceKind device = device_of(*model).kind();
        request.reference = request.floor = path(device, "reference");
        request.truth = path(device, "truth");
        return inspect(request);
    }

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
        TinyRecipe recipe = byte_recipe();
        recipe.config.qkv_bias = true;
        here_ = make_tiny_model(recipe, DType::bf16);
        auto copy = copy_model(*here_, *gpu_);
        QVERIFY2(copy, why(copy));
        there_ = *copy;
    }

    // Every fault of the catalogue in the middle layer of two models, and a control in each dtype:
    // f32 among them, where reference and truth are one computation.
    void the_self_test_is_as_good_as_on_the_cpu() {
        SelfTestRequest request;
        request.subjects = tiny_subjects(*gpu_);
        request.candidate = path(DeviceKind::cuda, "fused");
        request.thirds = {1};
        request.threads = 8;
        request.controls = 6 * 24;
        const auto result = run_self_test(request);
        QVERIFY2(result, why(result));
        const SelfTestTotals totals = totals_of(result->cells);
        const std::string table = self_test_table(*result);
        qInfo("%d cells, %d apart, %d found, %d of %d named, %d controls, %zu alarms", totals.cells,
              totals.apart, totals.found, totals.cause_right, totals.diagnosed,
              result->controls.comparisons, result->controls.alarms.size());
        QVERIFY2(totals.cells > 240, table.c_str());
        QVERIFY2(totals.good(), table.c_str());
        QVERIFY2(result->controls.alarms.empty(), table.c_str());
        QCOMPARE(result->controls.comparisons, 6 * 24);
    }

    void a_trace_is_judged_wherever_it_was_captured_data() {
        QTest::addColumn<bool>("captured_there");
        QTest::addColumn<bool>("judged_there");
        QTest::addColumn<QString>("name");
        for (const char* name : {"fused", "reference", "truth"}) {
            QTest::addRow("%s, GPU and GPU", name) << true << true << name;
            QTest::addRow("%s, GPU and CPU", name) << true << false << name;
            QTest::addRow("%s, CPU and GPU", name) << false << true << name;
        }
    }
    void a_trace_is_judged_wherever_it_was_captured() {
        QFETCH(bool, captured_there);
        QFETCH(bool, judged_there);
        QFETCH(QString, name);
        const auto& source = captured_there ? there_ : here_;
        const Status written =
            capture(source, path(device_of(*source).kind(), name.toStdString().c_str()));
        QVERIFY2(written, why(written));
        const auto result = judge(judged_there ? there_ : here_);
        QVERIFY2(result, why(result));
        QVERIFY(!result->comparison.diverged() && !result->comparison.drift_unexplained);
        QVERIFY(result->comparison.missing.empty());
        QCOMPARE(result->comparison.passes.size(), size_t{4});
    }

    void a_fault_in_a_trace_is_found_and_named_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<int>("step");
        for (const char* fault : {"k_bias_dropped", "rope_interleaved", "softmax_scale_wrong",
                                  "mlp_residual_missing", "gate_up_swapped"}) {
            QTest::newRow(fault) << fault << static_cast<int>(find_fault(fault)->step);
        }
    }
    void a_fault_in_a_trace_is_found_and_named() {
        QFETCH(QString, fault);
        QFETCH(int, step);
        const auto wrong =
            plant_fault(path(DeviceKind::cuda, "fused"), {fault.toStdString(), 1}, there_);
        QVERIFY2(wrong, why(wrong));
        const Status written = capture(there_, *wrong);
        QVERIFY2(written, why(written));
        const auto result = judge(there_);
        QVERIFY2(result, why(result));
        QVERIFY(result->comparison.first);
        QCOMPARE(result->comparison.first->layer, 1);
        QCOMPARE(static_cast<int>(result->comparison.first->step), step);
        QVERIFY(result->diagnosis && !result->diagnosis->causes.empty());
        QCOMPARE(QString::fromStdString(result->diagnosis->causes.front().cause), fault);
    }
};

QTEST_APPLESS_MAIN(TestGpuInspect)
#include "tst_gpu_inspect.moc"
