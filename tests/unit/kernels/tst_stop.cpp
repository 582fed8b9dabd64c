// SPDX-License-Identifier: GPL-3.0-or-later
// A stream that is told to stop ends the step that runs on it: our own paths look at it between
// panels, blocks of rows or columns, so that no step on many rows keeps whoever waits. What is
// tested is not the time, which is the machine's, but the work that is left undone.
#include <QTest>
#include <atomic>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/step_catalog.h"

using namespace lockstep;

namespace {

StepShape many_rows() {
    StepShape shape;
    shape.rows = 130;
    shape.hidden_size = 128;
    shape.num_attention_heads = 8;
    shape.num_key_value_heads = 4;
    shape.head_dim = 16;
    shape.intermediate_size = 512;
    shape.vocab_size = 1000;
    return shape;
}

// Of the step's outputs (the cache's rows among them), the share that is still poison.
double unwritten(const StepArgs& args) {
    int64_t poison = 0, all = 0;
    for (const NamedTensor& tap : step_taps(args, false)) {
        const Tensor& tensor = tap.tensor;
        const int64_t columns = tensor.numel() / tensor.shape[0];
        for (int64_t i = 0; i < tensor.numel(); ++i, ++all) {
            const int64_t row = i / columns, column = i % columns;
            const int64_t inner = tensor.rank == 3 ? tensor.shape[2] : columns;
            const int64_t offset = row * tensor.stride[0] +
                                   (tensor.rank == 3 ? column / inner * tensor.stride[1] : 0) +
                                   column % inner;
            poison += std::isnan(load_element(tensor.data, tensor.dtype, offset));
        }
    }
    return static_cast<double>(poison) / static_cast<double>(all);
}

// A clone's caches hold what the original's do; here only what the step writes is wanted.
void poison_caches(const StepArgs& args) {
    const auto* const qkv = std::get_if<QkvArgs>(&args);
    if (!qkv) return;
    for (const Tensor& cache : {qkv->k_cache, qkv->v_cache}) {
        for (int64_t i = 0; i < cache.numel(); ++i)
            store_element(cache.data, cache.dtype, i, std::numeric_limits<float>::quiet_NaN());
    }
}

}  // namespace

class TestStop : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_step_ends_early_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<int>("step");
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
            for (int step = 0; step < step_count; ++step) {
                const auto id = static_cast<StepId>(step);
                if (id == StepId::embed) continue;  // it only copies
                QTest::addRow("%s %s", path.name.c_str(), std::string(step_name(id)).c_str())
                    << QString::fromStdString(path.name) << step;
            }
        }
    }
    void a_step_ends_early() {
        QFETCH(QString, path);
        QFETCH(int, step);
        const KernelPath& own = *find_kernel_path(DeviceKind::cpu, path.toStdString());
        const auto sample = make_sample_step(static_cast<StepId>(step), many_rows(), {});
        QVERIFY(sample);
        const DType dtype = own.f32_activations ? DType::f32 : DType::bf16;
        CpuStream stream(cpu_device(), 1);
        for (const bool stop : {false, true}) {
            const std::atomic<bool> asked = stop;
            stream.stop_when(&asked);
            const auto run = clone_step(sample->args, dtype);
            QVERIFY(run);
            poison_caches(run->args);
            const Status done = run_step(own, run->args, stream);
            QVERIFY2(done, done ? "" : done.error().message.c_str());
            const double left = unwritten(run->args);
            if (stop)
                QVERIFY2(left > 0.9, "it went on to its end");
            else
                QCOMPARE(left, 0.0);
            stream.stop_when(nullptr);
        }
    }

    void a_clone_ends_early() {
        const auto sample = make_sample_step(StepId::down, many_rows(), {});
        QVERIFY(sample);
        const std::atomic<bool> asked = true;
        const auto cut = clone_step(sample->args, DType::f32, &asked);
        const auto whole = clone_step(sample->args, DType::f32);
        QVERIFY(cut && whole);
        const Tensor& without = std::get<DownArgs>(cut->args).mlp;
        const Tensor& with = std::get<DownArgs>(whole->args).mlp;
        QVERIFY(with.as<float>()[0] != 0);
        QCOMPARE(without.as<float>()[0], 0.0f);  // a page that nobody has touched
    }
};

QTEST_APPLESS_MAIN(TestStop)
#include "tst_stop.moc"
