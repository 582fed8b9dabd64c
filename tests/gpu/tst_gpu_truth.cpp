// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU's truth against the CPU's, which sums in double: 1e-5 of a tensor's size. And what the
// device itself promises: copies, recorded work, messages.
#include <QTest>
#include <cmath>
#include <cstring>

#include "kernels/gpu_info.h"
#include "kernels/step_transfer.h"

using namespace lockstep;

namespace {

constexpr StepId all_steps[]{StepId::embed,   StepId::qkv,  StepId::attention, StepId::attn_output,
                             StepId::gate_up, StepId::down, StepId::logits};

StepShape shape_of(int64_t rows) {
    StepShape s;
    s.rows = rows;
    s.hidden_size = 896;
    s.num_attention_heads = 14;
    s.num_key_value_heads = 2;
    s.head_dim = 64;
    s.intermediate_size = 4864;
    s.vocab_size = 2003;
    s.first_row = 77;
    s.qkv_bias = true;
    return s;
}

// ||a - b|| / ||b||; infinite where a value is not finite.
double relative_error(const Tensor& a, const Tensor& b) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < b.numel(); ++i) {
        const double x = element(a, i), y = element(b, i);
        difference += (x - y) * (x - y);
        size += y * y;
    }
    return std::isfinite(difference) ? std::sqrt(difference / size) : HUGE_VAL;
}

}  // namespace

class TestGpuTruth : public QObject {
    Q_OBJECT
    Device* gpu_ = nullptr;
    std::unique_ptr<Stream> stream_, cpu_;

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
        stream_ = std::move(*gpu_->make_stream(0));
        cpu_ = std::move(*cpu_device().make_stream(0));
        qInfo("%s, %.1f GB free", gpu_->name().c_str(),
              static_cast<double>(gpu_->free_memory()) / 1e9);
    }

    void it_is_the_cpus_truth_to_1e_5_data() {
        QTest::addColumn<int>("step");
        QTest::addColumn<int>("rows");
        for (StepId step : all_steps) {
            for (int rows : {1, 5, 64})
                QTest::addRow("%s T=%d", step_name(step).data(), rows)
                    << static_cast<int>(step) << rows;
        }
    }
    void it_is_the_cpus_truth_to_1e_5() {
        QFETCH(int, step);
        QFETCH(int, rows);
        SampleOptions options;
        options.activation_dtype = DType::f32;
        options.weight_dtype = DType::bf16;
        const auto sample = make_sample_step(static_cast<StepId>(step), shape_of(rows), options);
        QVERIFY(sample.has_value());
        const auto here = clone_step(sample->args, DType::f32);
        const auto there = clone_step(sample->args, DType::f32);
        QVERIFY(here.has_value() && there.has_value());
        QVERIFY(run_step(*find_kernel_path(DeviceKind::cpu, "truth"), here->args, *cpu_));
        const Status ran = run_step_from_host(*find_kernel_path(DeviceKind::cuda, "truth"),
                                              there->args, OnHost::everything, *stream_);
        QVERIFY2(ran, ran ? "" : ran.error().message.c_str());
        const auto expected = step_taps(here->args, true), taps = step_taps(there->args, true);
        for (size_t i = 0; i < taps.size(); ++i) {
            const double error = relative_error(taps[i].tensor, expected[i].tensor);
            qInfo("%s %s: %.2e", step_name(static_cast<StepId>(step)).data(), taps[i].name.data(),
                  error);
            QVERIFY2(error <= 1e-5, taps[i].name.data());
        }
    }

    // The measure above can fail.
    void tf32_would_be_seen() {
        std::vector<float> exact(1000), rounded(1000);
        for (size_t i = 0; i < exact.size(); ++i) {
            exact[i] = std::sin(static_cast<float>(i));
            rounded[i] = float_from_f16(f16_from_float(exact[i]));  // as many bits as TF32 has
        }
        QVERIFY(relative_error(Tensor(rounded.data(), DType::f32, {1000}),
                               Tensor(exact.data(), DType::f32, {1000})) > 1e-5);
    }

    void memory_is_zeroed_and_copies_return_it() {
        constexpr size_t bytes = (size_t{9} << 20) + 17;  // several pieces of staging, and a tail
        Buffer buffer = *gpu_->allocate(bytes);
        std::vector<char> host(bytes, 'x'), back(bytes, 'x');
        QVERIFY(gpu_->copy_to_host(host.data(), buffer.data(), bytes, *stream_));
        QVERIFY(stream_->synchronize());
        QVERIFY(host == std::vector<char>(bytes, 0));
        for (size_t i = 0; i < bytes; ++i) host[i] = static_cast<char>(i * 7 + i / 251);
        const std::vector<char> sent = host;
        QVERIFY(gpu_->copy_from_host(buffer.data(), host.data(), bytes, *stream_));
        std::fill(host.begin(), host.end(), 'y');  // may be changed at once
        QVERIFY(gpu_->copy_to_host(back.data(), buffer.data(), bytes, *stream_));
        QVERIFY(stream_->synchronize());
        QVERIFY(back == sent);
    }

    void too_large_an_allocation_is_a_message_and_not_the_end() {
        const Result<Buffer> none = gpu_->allocate(size_t{1} << 50);
        QVERIFY(!none);
        QCOMPARE(none.error().kind, ErrorKind::out_of_memory);
        QVERIFY(none.error().message.find("free") != std::string::npos);
        QVERIFY(gpu_->allocate(1 << 20).has_value());
    }

    void memory_given_back_is_free_again() {
        (void)gpu_->allocate(1 << 20);
        const size_t before = gpu_->free_memory();
        for (int i = 0; i < 10; ++i) QVERIFY(gpu_->allocate(size_t{1} << 30).has_value());
        QVERIFY(gpu_->free_memory() + (size_t{64} << 20) > before);
    }

    // Recorded work reads what lies in memory when it is replayed, and is called twice at most.
    void recorded_work_is_replayed() {
        Buffer from = *gpu_->allocate(4), to = *gpu_->allocate(4);
        int calls = 0;
        for (int32_t value = 1; value <= 5; ++value) {
            QVERIFY(gpu_->copy_from_host(from.data(), &value, 4, *stream_));
            QVERIFY(stream_->replay(7, [&] {
                ++calls;
                return gpu_->copy(to.data(), from.data(), 4, *stream_);
            }));
            int32_t seen = 0;
            QVERIFY(gpu_->copy_to_host(&seen, to.data(), 4, *stream_));
            QVERIFY(stream_->synchronize());
            QCOMPARE(seen, value);
        }
        QCOMPARE(calls, 2);
        stream_->forget_replays();
        QVERIFY(stream_->replay(7, [&] {
            ++calls;
            return Status();
        }));
        QCOMPARE(calls, 3);
    }

    void a_failure_of_recorded_work_is_passed_on() {
        for (int i = 0; i < 3; ++i) {
            const Status failed = stream_->replay(
                8, [&]() -> Status { return fail(ErrorKind::internal, "on purpose"); });
            QVERIFY(!failed && failed.error().message == "on purpose");
        }
        QVERIFY(stream_->synchronize());
    }

    void a_missing_gpu_is_named() {
        const Result<Device*> none = device_from_name("cuda:99");
        QVERIFY(!none && none.error().message.find("99") != std::string::npos);
        QVERIFY(!device_from_name("cuda:"));
        QVERIFY(!device_from_name("gpu"));
    }
};

QTEST_APPLESS_MAIN(TestGpuTruth)
#include "tst_gpu_truth.moc"
