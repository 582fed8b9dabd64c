// SPDX-License-Identifier: GPL-3.0-or-later
// Every step of every registered path, over the shape classes, judged by the rule: a path or a step
// added later is tested here without a new line. And the other way round: wrong paths must fall.
#include <QTest>
#include <algorithm>

#include "kernels/cpu/operands.h"
#include "kernels/cpu/reference.h"
#include "kernels/gpu_info.h"
#include "kernels/step_transfer.h"
#include "tests/unit/kernels/step_examiner.h"
#include "tests/unit/kernels/wrong_paths.h"

// The device whose paths are tested: this file is compiled for each (tests/gpu).
#ifndef LOCKSTEP_TEST_DEVICE
#define LOCKSTEP_TEST_DEVICE "cpu"
#endif

using namespace lockstep;

namespace {

struct ShapeClass {
    const char* name;
    StepShape shape;
    std::vector<int64_t> rows;
};

StepShape sizes(int64_t hidden, int64_t heads, int64_t groups, int64_t head_dim,
                int64_t intermediate, int64_t vocab, bool bias) {
    StepShape shape;
    shape.hidden_size = hidden;
    shape.num_attention_heads = heads;
    shape.num_key_value_heads = groups;
    shape.head_dim = head_dim;
    shape.intermediate_size = intermediate;
    shape.vocab_size = vocab;
    shape.qkv_bias = bias;
    return shape;
}

// Tails of every blocking a kernel may have.
const std::vector<int64_t> tails{1, 2, 3, 7, 16, 17, 31, 33, 64, 65, 130, 255, 300};
const std::vector<int64_t> some{1, 2, 17, 65, 130};
const std::vector<int64_t> few{1, 3, 33, 300};

const std::vector<ShapeClass>& shape_classes() {
    static const std::vector<ShapeClass> classes{
        {"one of everything", sizes(1, 1, 1, 2, 1, 1, true), some},
        {"GQA 1, D 32", sizes(64, 2, 2, 32, 96, 101, false), tails},
        {"GQA 2, D 32, bias, H 100", sizes(100, 4, 2, 32, 130, 257, true), tails},
        {"GQA 3, D 64, SmolLM2's H 576", sizes(576, 9, 3, 64, 1536, 1000, false), few},
        {"GQA 7, D 64, bias, Qwen's H 896", sizes(896, 14, 2, 64, 1216, 1537, true), few},
        {"GQA 2, D 80", sizes(160, 2, 1, 80, 200, 33, false), some},
        {"GQA 1, D 96, bias", sizes(192, 2, 2, 96, 70, 63, true), some},
        {"GQA 7, D 128", sizes(256, 7, 1, 128, 301, 65, false), some},
        {"H 1280: more than a chain of CUDA's takes",
         sizes(1280, 20, 4, 64, 1408, 300, false),
         {1, 2}},
        {"V 40001, of which a warp of CUDA's takes several in a row",
         sizes(72, 2, 1, 32, 40, 40001, false),
         {1, 2}},
        {"nothing divides", sizes(37, 3, 3, 10, 53, 7, true), some},
    };
    return classes;
}

struct Case {
    StepShape shape;
    SampleOptions options;
};

// Pairwise rather than everything: rows go through all of their values, and with them turn dtype,
// strides, and the rows already in the cache, each at its own pace.
std::vector<Case> cases_of(const ShapeClass& shape_class) {
    static constexpr DType dtypes[]{DType::bf16, DType::f16, DType::f32};
    static constexpr int64_t first_rows[]{0, 1, 63, 200, 7};
    std::vector<Case> cases;
    size_t turn = 0;
    for (int64_t rows : shape_class.rows) {
        for (DType dtype : dtypes) {
            Case one{shape_class.shape, {}};
            one.shape.rows = rows;
            one.shape.first_row = first_rows[turn % 5];
            one.shape.context = one.shape.first_row + rows + static_cast<int64_t>(turn % 4);
            one.options.weight_dtype = one.options.activation_dtype = dtype;
            one.options.strided = turn % 2 == 1;
            one.options.seed = 100 + turn;
            cases.push_back(one);
            ++turn;
        }
    }
    return cases;
}

Result<Device*> test_device() {
    return device_from_name(LOCKSTEP_TEST_DEVICE);
}
constexpr DeviceKind test_kind =
    std::string_view(LOCKSTEP_TEST_DEVICE) == "cpu" ? DeviceKind::cpu : DeviceKind::cuda;

constexpr StepId all_steps[]{StepId::embed,   StepId::qkv,  StepId::attention, StepId::attn_output,
                             StepId::gate_up, StepId::down, StepId::logits};

}  // namespace

class TestSteps : public QObject {
    Q_OBJECT
    std::unique_ptr<StepExaminer> examiner_;

    void examine_class(const KernelPath& path, StepId step, const ShapeClass& shape_class) {
        for (const Case& one : cases_of(shape_class)) {
            const std::string problem = examiner_->examine(path, step, one.shape, one.options);
            QVERIFY2(problem.empty(),
                     (description(step, one.shape, one.options) + ": " + problem).c_str());
        }
    }

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = test_device();
        if (!device) QSKIP(device.error().message.c_str());
        examiner_ = std::make_unique<StepExaminer>(**device);
    }
    void every_path_computes_what_truth_computes_data() {
        QTest::addColumn<int>("path");
        QTest::addColumn<int>("step");
        QTest::addColumn<int>("shape_class");
        const auto paths = kernel_paths(test_kind);
        for (size_t p = 0; p < paths.size(); ++p) {
            for (StepId step : all_steps) {
                for (size_t c = 0; c < shape_classes().size(); ++c) {
                    QTest::addRow("%s %s, %s", paths[p].name.c_str(), step_name(step).data(),
                                  shape_classes()[c].name)
                        << static_cast<int>(p) << static_cast<int>(step) << static_cast<int>(c);
                }
            }
        }
    }
    void every_path_computes_what_truth_computes() {
        QFETCH(int, path);
        QFETCH(int, step);
        QFETCH(int, shape_class);
        examine_class(kernel_paths(test_kind)[static_cast<size_t>(path)], static_cast<StepId>(step),
                      shape_classes()[static_cast<size_t>(shape_class)]);
    }

    // Every number of rows, where that is cheap.
    void every_number_of_rows_data() { every_step(); }
    void every_number_of_rows() {
        QFETCH(int, step);
        StepShape shape = shape_classes()[1].shape;
        SampleOptions options;
        for (const KernelPath& path : kernel_paths(test_kind)) {
            if (path.name == "reference") continue;
            for (shape.rows = 1; shape.rows <= 300; shape.rows += shape.rows < 70 ? 1 : 7) {
                shape.first_row = shape.rows % 3;
                options.strided = shape.rows % 2 == 0;
                const std::string problem =
                    examiner_->examine(path, static_cast<StepId>(step), shape, options);
                QVERIFY2(problem.empty(),
                         (path.name + " " + description(static_cast<StepId>(step), shape, options) +
                          ": " + problem)
                             .c_str());
            }
        }
    }

    // What a machine without AVX-512 does for bf16, and every machine for f16.
    void reference_with_widened_products_data() { every_step(); }
    void reference_with_widened_products() {
        if (test_kind != DeviceKind::cpu) QSKIP("of the CPU's reference alone");
        QFETCH(int, step);
        const KernelPath widened = make_cpu_reference_path(Products::widened);
        for (size_t c : {0, 2, 5, 10})
            examine_class(widened, static_cast<StepId>(step), shape_classes()[c]);
    }

    // Truth reads weights of any floating dtype, whatever the activations are.
    void truth_reads_any_weights_data() { every_step(); }
    void truth_reads_any_weights() {
        QFETCH(int, step);
        const KernelPath& truth = *find_kernel_path(test_kind, "truth");
        const Result<SampleStep> sample =
            make_sample_step(static_cast<StepId>(step), shape_classes()[2].shape, {});
        QVERIFY(sample.has_value());
        auto stream = (*test_device())->make_stream(1);
        QVERIFY(!run_step(truth, sample->args, **stream));  // bf16 activations are not its own
        for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
            SampleOptions options;
            options.weight_dtype = dtype;
            options.activation_dtype = DType::f32;
            const Result<SampleStep> mixed =
                make_sample_step(static_cast<StepId>(step), shape_classes()[2].shape, options);
            QVERIFY(mixed.has_value());
            QVERIFY(run_step_from_host(truth, mixed->args, OnHost::everything, **stream));
        }
    }

    void reference_wants_one_dtype_data() { every_step(); }
    void reference_wants_one_dtype() {
        QFETCH(int, step);
        if (static_cast<StepId>(step) == StepId::attention) return;  // it has no weights
        SampleOptions options;
        options.weight_dtype = DType::f16;
        options.activation_dtype = DType::bf16;
        const Result<SampleStep> sample =
            make_sample_step(static_cast<StepId>(step), shape_classes()[2].shape, options);
        QVERIFY(sample.has_value());
        auto stream = (*test_device())->make_stream(1);
        const Status status =
            run_step(*find_kernel_path(test_kind, "reference"), sample->args, **stream);
        QVERIFY(!status && status.error().kind == ErrorKind::unsupported);
        QVERIFY(status.error().message.find("f16") != std::string::npos);
    }

    void an_id_outside_the_vocabulary_is_an_error_data() {
        QTest::addColumn<int>("id");
        QTest::newRow("negative") << -1;
        QTest::newRow("one past the end") << 101;
        QTest::newRow("huge") << std::numeric_limits<int>::max();
    }
    void an_id_outside_the_vocabulary_is_an_error() {
        if (test_kind != DeviceKind::cpu) QSKIP("a GPU's path leaves NaN instead");
        QFETCH(int, id);
        auto stream = cpu_device().make_stream(1);
        StepShape shape = shape_classes()[1].shape;
        shape.rows = 3;
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
            SampleOptions options;
            if (path.f32_activations) options.activation_dtype = DType::f32;
            const Result<SampleStep> sample = make_sample_step(StepId::embed, shape, options);
            QVERIFY(sample.has_value());
            std::get<EmbedArgs>(sample->args).ids.as<int32_t>()[2] = id;
            const Status status = run_step(path, sample->args, **stream);
            QVERIFY2(!status, path.name.c_str());
            QVERIFY(status.error().message.find(std::to_string(id)) != std::string::npos);
        }
    }

    void a_position_that_is_not_first_row_is_an_error() {
        if (test_kind != DeviceKind::cpu) QSKIP("a GPU's path goes by the position alone");
        auto stream = cpu_device().make_stream(1);
        StepShape shape = shape_classes()[1].shape;
        shape.first_row = 4;
        for (const char* name : {"truth", "reference"}) {
            const KernelPath& path = *find_kernel_path(DeviceKind::cpu, name);
            for (StepId step : {StepId::qkv, StepId::attention}) {
                SampleOptions options;
                if (path.f32_activations) options.activation_dtype = DType::f32;
                Result<SampleStep> sample = make_sample_step(step, shape, options);
                QVERIFY(sample.has_value());
                *step_context(sample->args).position.as<int32_t>() = 5;
                QVERIFY(!run_step(path, sample->args, **stream));
            }
        }
    }

    // The examiner itself: every wrong path must fall somewhere on the same grid.
    void a_wrong_path_is_caught_data() {
        QTest::addColumn<int>("wrong");
        for (size_t i = 0; i < wrong_paths().size(); ++i)
            QTest::addRow("%s: %s", step_name(wrong_paths()[i].step).data(), wrong_paths()[i].name)
                << static_cast<int>(i);
    }
    void a_wrong_path_is_caught() {
        if (test_kind != DeviceKind::cpu) QSKIP("the wrong paths are the CPU's");
        QFETCH(int, wrong);
        const WrongPath& planted = wrong_paths()[static_cast<size_t>(wrong)];
        size_t caught = 0, tried = 0;
        for (size_t c : {2, 7}) {
            for (const Case& one : cases_of(shape_classes()[c])) {
                // A fault of the mask or the tail has nothing to be wrong about in one row.
                if (one.shape.rows < 3 || one.shape.rows > 130) continue;
                ++tried;
                caught +=
                    !examiner_->examine(planted.path, planted.step, one.shape, one.options).empty();
            }
        }
        QVERIFY2(caught == tried, qPrintable(QString("caught in %1 of %2").arg(caught).arg(tried)));
    }

  private:
    static void every_step() {
        QTest::addColumn<int>("step");
        for (StepId step : all_steps)
            QTest::newRow(step_name(step).data()) << static_cast<int>(step);
    }
};

QTEST_APPLESS_MAIN(TestSteps)
#include "tst_steps.moc"
