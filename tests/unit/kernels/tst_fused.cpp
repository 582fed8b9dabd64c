// SPDX-License-Identifier: GPL-3.0-or-later
// What the fused path promises beyond being right: bits that depend on no batch and no thread
// count, nothing allocated per token. ctest runs this once for each instruction set
// (LOCKSTEP_SIMD).
#include <QTest>
#include <algorithm>
#include <array>
#include <cstring>
#include <random>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/cpu/fused_kernels.h"
#include "kernels/step_catalog.h"
#include "tests/unit/kernels/step_examiner.h"

using namespace lockstep;

namespace {

constexpr StepId steps[]{StepId::embed,   StepId::qkv,  StepId::attention, StepId::attn_output,
                         StepId::gate_up, StepId::down, StepId::logits};
constexpr DType dtypes[]{DType::bf16, DType::f16, DType::f32};

StepShape small_shape(int64_t rows) {  // tails everywhere, depth in two parts
    StepShape s;
    s.rows = rows;
    s.hidden_size = 2100;
    s.num_attention_heads = 6;
    s.num_key_value_heads = 2;
    s.head_dim = 20;
    s.intermediate_size = 77;
    s.vocab_size = 131;
    s.first_row = 250;
    s.context = std::max<int64_t>(500, s.first_row + rows);
    s.qkv_bias = true;
    return s;
}

const KernelPath& fused() {
    return *find_kernel_path(DeviceKind::cpu, "fused");
}

SampleStep sample(StepId step, const StepShape& shape, DType dtype) {
    SampleOptions options;
    options.weight_dtype = options.activation_dtype = dtype;
    options.strided = true;
    return *make_sample_step(step, shape, options);
}

std::unique_ptr<Stream> stream_of(int threads) {
    return *cpu_device().make_stream(threads);
}

// Every output's elements, rows of the cache that qkv appends included.
std::vector<float> outputs(const StepArgs& args) {
    std::vector<float> values;
    for (const NamedTensor& tap : step_taps(args, false)) {
        for (int64_t i = 0; i < tap.tensor.numel(); ++i) values.push_back(element(tap.tensor, i));
    }
    return values;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The call for row `row` alone; `position` becomes its position.
StepArgs row_alone(const StepArgs& args, int64_t row, int32_t& position) {
    StepArgs alone = args;
    std::visit(
        [&]<class Args>(Args& a) {
            for (const TensorField<Args>& field : Args::fields()) {
                Tensor& tensor = a.*field.member;
                if (field.axes[0] == Axis::T && tensor.defined()) tensor = tensor.rows(row, 1);
            }
        },
        alone);
    StepContext& context = step_context(alone);
    context.first_row += row;
    position = static_cast<int32_t>(context.first_row);
    context.position = Tensor(&position, DType::i32, {1});
    return alone;
}

// The CPU, counting what is asked of it.
class CountingDevice final : public Device {
  public:
    int allocations = 0;
    DeviceKind kind() const override { return DeviceKind::cpu; }
    std::string name() const override { return "counting"; }
    size_t free_memory() const override { return cpu_device().free_memory(); }
    Result<Buffer> allocate(size_t bytes) override {
        ++allocations;
        return cpu_device().allocate(bytes);
    }
    void release(void* data, size_t bytes) noexcept override { cpu_device().release(data, bytes); }
    Result<std::unique_ptr<Stream>> make_stream(int threads) override {
        return std::make_unique<CpuStream>(*this, threads);
    }
    Status copy_to_host(void*, const void*, size_t, Stream&) override { return {}; }
    Status copy_from_host(void*, const void*, size_t, Stream&) override { return {}; }
    Status copy(void*, const void*, size_t, Stream&) override { return {}; }
};

void add_steps_and_dtypes() {
    QTest::addColumn<int>("step");
    QTest::addColumn<int>("dtype");
    for (StepId step : steps) {
        for (DType dtype : dtypes) {
            QTest::addRow("%s %s", step_name(step).data(), dtype_info(dtype).name.data())
                << static_cast<int>(step) << static_cast<int>(dtype);
        }
    }
}

}  // namespace

class TestFused : public QObject {
    Q_OBJECT
    StepExaminer examiner_;

  private Q_SLOTS:
    void initTestCase() {
        const QByteArray limit = qgetenv("LOCKSTEP_SIMD");
        if (!limit.isEmpty() && limit != fused_kernels().target)
            QSKIP("this CPU or build lacks the instruction set");
        qInfo("%s", fused_kernels().target);
    }
    void is_as_right_as_the_reference_data() { add_steps_and_dtypes(); }
    void is_as_right_as_the_reference() {
        QFETCH(int, step);
        QFETCH(int, dtype);
        for (int64_t rows : {1, 4, 5, 6, 130}) {
            for (bool strided : {false, true}) {
                SampleOptions options;
                options.weight_dtype = options.activation_dtype = static_cast<DType>(dtype);
                options.strided = strided;
                const std::string problem = examiner_.examine(fused(), static_cast<StepId>(step),
                                                              small_shape(rows), options);
                QVERIFY2(problem.empty(), problem.c_str());
            }
        }
    }
    void attends_with_heads_of_any_size_data() {
        QTest::addColumn<int>("head_dim");
        for (int head_dim : {2, 3, 31, 33, 40, 63, 64, 65, 80, 96, 97, 128, 130})
            QTest::addRow("D %d", head_dim) << head_dim;
    }
    void attends_with_heads_of_any_size() {
        QFETCH(int, head_dim);
        int turn = 0;
        for (int64_t ratio : {1, 2, 3, 7}) {
            for (DType dtype : dtypes) {
                StepShape shape = small_shape(std::array{1, 4, 5, 23, 150}[turn % 5]);
                shape.head_dim = head_dim;
                shape.num_key_value_heads = 2;
                shape.num_attention_heads = 2 * ratio;
                shape.first_row = std::array{0, 1, 127, 128, 255, 300, 126}[turn % 7];
                shape.context = shape.first_row + shape.rows;
                SampleOptions options;
                options.weight_dtype = options.activation_dtype = dtype;
                options.strided = turn++ % 2 == 1;
                const std::string problem =
                    examiner_.examine(fused(), StepId::attention, shape, options);
                QVERIFY2(problem.empty(), qPrintable(QString("ratio %1, %2, T %3, first_row %4: %5")
                                                         .arg(ratio)
                                                         .arg(dtype_info(dtype).name.data())
                                                         .arg(shape.rows)
                                                         .arg(shape.first_row)
                                                         .arg(problem.c_str())));
            }
        }
    }
    void a_row_has_the_same_bits_alone_and_in_a_batch_data() { add_steps_and_dtypes(); }
    void a_row_has_the_same_bits_alone_and_in_a_batch() {
        QFETCH(int, step);
        QFETCH(int, dtype);
        auto stream = stream_of(2);
        // 5 rows and more go another way than 4 or fewer, and many rows another one; 193 rows of
        // pairs and 517 of floats fill more than one panel.
        for (int64_t rows : {2, 4, 5, 37, 96, 200, 520}) {
            const StepShape shape = small_shape(rows);
            const SampleStep batch =
                sample(static_cast<StepId>(step), shape, static_cast<DType>(dtype));
            QVERIFY(run_step(fused(), batch.args, *stream));
            for (int64_t row : {int64_t{0}, rows / 2, rows - 1}) {
                int32_t position = 0;
                const StepArgs alone = row_alone(batch.args, row, position);
                const std::vector<float> together = outputs(alone);
                for (const NamedTensor& tap : step_taps(alone, false))
                    store_element(tap.tensor.data, tap.tensor.dtype, 0,
                                  -77);  // so that it must be written again
                QVERIFY(run_step(fused(), alone, *stream));
                QVERIFY2(same_bits(together, outputs(alone)),
                         qPrintable(QString("row %1 of %2").arg(row).arg(rows)));
            }
        }
    }
    // A CPU may multiply a batch's pairs with other instructions than a row's.
    void pairs_have_the_same_bits_alone_and_in_a_batch_also_subnormal_ones() {
        const PanelFunction product = fused_kernels().product_bf16_pairs;
        if (!product) QSKIP("this CPU or build has no dot product of bf16");
        std::mt19937 random(7);
        const auto number = [&] {  // products and sums above, around and below 2^-126
            constexpr std::array exponents{0u, 1u, 60u, 63u, 66u, 120u, 127u};
            return static_cast<uint16_t>((random() & 0x807f) | exponents[random() % 7] << 7);
        };
        constexpr int64_t columns = 44;
        constexpr int64_t most_depth = 2049;
        alignas(64) static std::array<char, room_bytes(most_depth)> room;
        for (int64_t depth : {int64_t{1}, int64_t{31}, int64_t{32}, int64_t{33}, int64_t{576},
                              int64_t{896}, int64_t{1536}, most_depth}) {
            for (int64_t rows : {2, 5, 16, 17, 33, 64, 77}) {
                std::vector<uint16_t> a(static_cast<size_t>(rows * depth));
                std::vector<uint16_t> b(static_cast<size_t>((columns + 1) * depth));
                for (std::vector<uint16_t>* numbers : {&a, &b})
                    std::generate(numbers->begin(), numbers->end(), number);
                std::array<const void*, columns> weights;
                for (int64_t n = 0; n < columns; ++n)
                    weights[static_cast<size_t>(n)] = b.data() + (n < 21 ? n : n + 1) * depth;
                std::vector<float> together(static_cast<size_t>(rows * panel_columns));
                PanelProduct p{a.data(),
                               depth,
                               rows,
                               weights.data(),
                               columns,
                               depth,
                               together.data(),
                               reinterpret_cast<float*>(room.data())};
                product(p);
                for (int64_t m = 0; m < rows; ++m) {
                    std::array<float, columns> alone;
                    p.a = a.data() + m * depth;
                    p.rows = 1;
                    p.c = alone.data();
                    product(p);
                    QVERIFY2(std::memcmp(alone.data(), together.data() + m * panel_columns,
                                         sizeof alone) == 0,
                             qPrintable(QString("depth %1, row %2").arg(depth).arg(m)));
                }
            }
        }
    }
    void bits_do_not_depend_on_the_threads_data() { add_steps_and_dtypes(); }
    void bits_do_not_depend_on_the_threads() {
        QFETCH(int, step);
        QFETCH(int, dtype);
        for (int64_t rows : {1, 3, 65}) {
            const SampleStep call =
                sample(static_cast<StepId>(step), small_shape(rows), static_cast<DType>(dtype));
            std::vector<float> first;
            for (int threads : {1, 2, 3, 8}) {
                auto stream = stream_of(threads);
                QVERIFY(run_step(fused(), call.args, *stream));
                if (first.empty()) first = outputs(call.args);
                QVERIFY2(same_bits(first, outputs(call.args)),
                         qPrintable(QString::number(threads)));
            }
        }
    }
    void nothing_is_allocated_per_token() {
        CountingDevice device;
        CpuStream stream(device, 2);
        int64_t after_first = 0;
        for (int token = 0; token < 3; ++token) {  // each sees one more row of the cache
            for (StepId step : steps) {
                StepShape shape = small_shape(1);
                shape.first_row += token * 40;
                const SampleStep call = sample(step, shape, DType::bf16);
                QVERIFY(run_step(fused(), call.args, stream));
            }
            if (token == 0) after_first = device.allocations;
        }
        QVERIFY(after_first > 0);
        QCOMPARE(device.allocations, after_first);
    }
    void what_it_cannot_read_is_named() {
        auto stream = stream_of(1);
        SampleStep call = sample(StepId::qkv, small_shape(1), DType::bf16);
        std::get<QkvArgs>(call.args).k_proj.dtype = DType::q4_0;
        const Status status = run_step(fused(), call.args, *stream);
        QVERIFY(!status);
        QCOMPARE(status.error().kind, ErrorKind::unsupported);
        QVERIFY(status.error().message.find("k_proj") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestFused)
#include "tst_fused.moc"
