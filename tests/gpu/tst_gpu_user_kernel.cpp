// SPDX-License-Identifier: GPL-3.0-or-later
// Kernels that a user brings for a GPU: right ones are right by the rule, in a process of their own
// and in this one; wrong ones are found out, and whatever they do to the GPU, they do to their
// process's and not to ours.
#include <QTest>

#include "core/inspect/candidate.h"
#include "core/inspect/inspection.h"
#include "core/inspect/short_check.h"
#include "core/model/model_copy.h"
#include "core/model/model_loader.h"
#include "core/run/forward.h"
#include "core/run/path_choice.h"
#include "kernels/gpu_info.h"
#include "kernels/step_transfer.h"
#include "kernels/user/user_gpu.h"
#include "tests/support/tiny_model.h"
#include "tests/unit/kernels/step_examiner.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// The kernels lie beside this program, wherever it is carried.
std::filesystem::path kernel_file(const std::string& name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / (name + ".so");
}

// The kernel's process is started with the environment of the moment.
std::filesystem::path misbehaving(const std::string& how) {
    qputenv("LOCKSTEP_TEST_MISBEHAVE", how.c_str());
    return kernel_file("gpu-misbehaving");
}

const KernelPath& path(const char* name) {
    return *find_kernel_path(DeviceKind::cuda, name);
}

IsolationOptions isolation() {
    IsolationOptions options;
    options.device = DeviceKind::cuda;
    return options;
}

const char* why(const Status& status) {
    return status ? "" : status.error().message.c_str();
}

template <class T>
const char* why(const Result<T>& result) {
    return result ? "" : result.error().message.c_str();
}

std::vector<int32_t> some_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

CompareRequest request_of(const std::shared_ptr<const Model>& model, KernelPath candidate) {
    CompareRequest request;
    request.model = model;
    for (const size_t length : {1, 17})
        request.prompts.push_back(some_ids(length, model->config.vocab_size));
    request.decode_steps = 2;
    request.candidate = std::move(candidate);
    request.reference = request.floor = path("reference");
    request.truth = path("truth");
    return request;
}

}  // namespace

class TestGpuUserKernel : public QObject {
    Q_OBJECT
    Device* gpu_ = nullptr;
    std::shared_ptr<const Model> model_;  // on the GPU, with bias and grouped heads

    // A step with a kernel of the user's, from the host's memory and back.
    Status run(const KernelPath& kernel, const SampleStep& step) const {
        LOCKSTEP_ASSIGN(const auto stream, gpu_->make_stream(0));
        return run_step_from_host(kernel, step.args, OnHost::everything, *stream);
    }

    // Our own kernels run on this process's GPU still.
    Status ours_still_runs() const {
        LOCKSTEP_ASSIGN(const SampleStep step, make_sample_step(StepId::down, shape(), {}));
        return run(path("fused"), step);
    }

    static StepShape shape() { return {3, 63, 4, 2, 16, 40, 33, 9, 2, true}; }

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
        TinyRecipe recipe = byte_recipe();
        recipe.config.qkv_bias = true;
        recipe.config.num_attention_heads = 6;
        recipe.config.num_key_value_heads = 2;
        auto copy = copy_model(*make_tiny_model(recipe, DType::bf16), *gpu_);
        QVERIFY2(copy, why(copy));
        model_ = *copy;
    }

    void fingerprints_tell_bytes_apart() {
        const auto stream = gpu_->make_stream(0);
        for (const size_t bytes : {1u, 3u, 64u, 1000u, 4'000'003u}) {
            const auto buffer = gpu_->allocate(bytes + 2);
            QVERIFY2(buffer, why(buffer));
            std::vector<std::byte> host(bytes + 2);
            for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<std::byte>(i * 7 % 251);
            const auto print = [&](size_t offset) {
                const auto copied =
                    gpu_->copy_from_host(buffer->data(), host.data(), host.size(), **stream);
                const DeviceBytes range{static_cast<std::byte*>(buffer->data()) + offset, bytes};
                const auto made = fingerprints({&range, 1}, **stream);
                return copied && made ? made->front() : 0;
            };
            const uint64_t first = print(0);
            QVERIFY(first != 0);
            QCOMPARE(print(0), first);
            if (bytes > 1) QVERIFY(print(1) != first);
            host[bytes / 2] ^= std::byte{1};
            QVERIFY(print(0) != first);
            host[bytes / 2] ^= std::byte{1};
            if (bytes > 4) {
                std::swap(host[0], host[1]);
                QVERIFY(print(0) != first);
            }
        }
    }

    void the_right_example_is_right_by_the_rule_data() {
        QTest::addColumn<bool>("isolated");
        QTest::newRow("in a child process") << true;
        QTest::newRow("in this process") << false;
    }
    void the_right_example_is_right_by_the_rule() {
        QFETCH(bool, isolated);
        const auto kernel =
            isolated ? open_user_kernel_isolated(kernel_file("qkv"), "fused", isolation())
                     : open_user_kernel_in_process(kernel_file("qkv"), "fused", DeviceKind::cuda);
        QVERIFY2(kernel, why(kernel));
        QCOMPARE(kernel->steps, std::vector<StepId>{StepId::qkv});
        QCOMPARE(kernel->path.device, DeviceKind::cuda);
        StepExaminer examiner(*gpu_);
        const StepShape shapes[] = {{1, 1, 1, 1, 2, 1, 1, 0, 0, true},
                                    {17, 100, 4, 2, 32, 130, 257, 20, 3, true},
                                    {5, 96, 7, 1, 16, 50, 33, 70, 63, false}};
        for (const StepShape& each : shapes) {
            for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                for (const bool strided : {false, true}) {
                    SampleOptions options;
                    options.weight_dtype = options.activation_dtype = dtype;
                    options.strided = strided;
                    const std::string complaint =
                        examiner.examine(kernel->path, StepId::qkv, each, options);
                    QVERIFY2(complaint.empty(),
                             (description(StepId::qkv, each, options) + ": " + complaint).c_str());
                }
            }
        }
    }

    void the_right_example_matches_in_a_model() {
        CandidateSpec spec{kernel_file("qkv").string(), {}, {}};
        const auto candidate = open_candidate(spec, DeviceKind::cuda, model_);
        QVERIFY2(candidate, why(candidate));
        const auto comparison = compare_paths(request_of(model_, candidate->path));
        QVERIFY2(comparison, why(comparison));
        QVERIFY(!comparison->diverged() && !comparison->drift_unexplained);
        QCOMPARE(comparison->candidate, std::string("qkv.so"));
    }

    void a_fault_is_found_and_named_data() {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<int>("step");
        QTest::addColumn<QString>("cause");
        const int gate_up = static_cast<int>(StepId::gate_up);
        const int attn_output = static_cast<int>(StepId::attn_output);
        const QString example = QString::fromStdString(kernel_file("gate_up_wrong").string());
        QTest::newRow("the example") << example << gate_up << "gate_up_swapped";
        QTest::newRow("its base the reference")
            << example + ",base=reference" << gate_up << "gate_up_swapped";
        QTest::newRow("no_residual") << "" << attn_output << "attn_residual_missing";
        QTest::newRow("no_barrier") << "" << attn_output << "";
        QTest::newRow("unwritten") << "" << attn_output << "";
    }
    void a_fault_is_found_and_named() {
        QFETCH(QString, kernel);
        QFETCH(int, step);
        QFETCH(QString, cause);
        std::string text = kernel.toStdString();
        if (text.empty()) text = misbehaving(QTest::currentDataTag()).string();
        const auto candidate = open_candidate({text, {}, {}}, DeviceKind::cuda, model_);
        QVERIFY2(candidate, why(candidate));
        const auto inspection = inspect(request_of(model_, candidate->path));
        QVERIFY2(inspection, why(inspection));
        const Comparison& comparison = inspection->comparison;
        QVERIFY(comparison.first);
        QCOMPARE(static_cast<int>(comparison.first->step), step);
        QCOMPARE(comparison.first->layer, 0);
        QVERIFY(inspection->diagnosis && !inspection->diagnosis->causes.empty());
        std::string named;
        for (const Cause& each : inspection->diagnosis->causes) named += each.cause + " ";
        qInfo("named: %s", named.c_str());
        if (!cause.isEmpty()) QVERIFY2(named.find(cause.toStdString()) == 0, named.c_str());
    }

    void whatever_a_kernel_does_it_does_to_its_own_process_data() {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<QString>("told");
        QTest::newRow("a null pointer") << "null"
                                        << "crashed on the GPU: it read or wrote memory "
                                           "that is none of the call's";
        QTest::newRow("far past the end") << "far_past_end"
                                          << "it read or wrote memory that is none of the call's";
        QTest::newRow("past the end") << "past_end"
                                      << "wrote 2 bytes past the end of hidden_attn bf16[3, 63]";
        QTest::newRow("before the start") << "before_start"
                                          << "wrote 2 bytes before hidden_attn bf16[3, 63]";
        QTest::newRow("misaligned") << "misaligned"
                                    << "misaligned address";
        QTest::newRow("a launch that is refused") << "launch"
                                                  << "the CUDA runtime says \"invalid";
        QTest::newRow("an input") << "input"
                                  << "wrote to attn bf16[3, 64], which it may only read";
        QTest::newRow("a weight") << "weight"
                                  << "wrote to o_proj bf16[63, 64], which it may only read";
        QTest::newRow("a trap") << "trap"
                                << "crashed on the GPU";
        QTest::newRow("an error of its own") << "return"
                                             << "returned 7: rows must be a multiple of 128";
        QTest::newRow("the host reads it") << "host_read"
                                           << "crashed (SIGSEGV)";
        QTest::newRow("exit") << "exit"
                              << "exit(0)";
    }
    void whatever_a_kernel_does_it_does_to_its_own_process() {
        QFETCH(QString, kernel);
        QFETCH(QString, told);
        const auto opened =
            open_user_kernel_isolated(misbehaving(kernel.toStdString()), "fused", isolation());
        QVERIFY2(opened, why(opened));
        const auto step = make_sample_step(StepId::attn_output, shape(), {});
        QVERIFY(step);
        for (int call = 0; call < 2; ++call) {  // and again, by another process if need be
            const Status ran = run(opened->path, *step);
            QVERIFY(!ran);
            const QString text = QString::fromStdString(ran.error().message);
            qInfo("%s", qPrintable(text));
            QVERIFY2(text.contains("lockstep_attn_output on attn bf16[3, 64] at position 2"),
                     qPrintable(text));
            QVERIFY2(text.contains(told), qPrintable(text));
        }
        const Status ours = ours_still_runs();
        QVERIFY2(ours, why(ours));
    }

    // Also where it would have been right by luck: the first call is not looked at.
    void a_launch_on_the_default_stream_is_told_data() {
        QTest::addColumn<bool>("told");
        QTest::newRow("default_stream") << true;
        QTest::newRow("thread_stream") << true;
        QTest::newRow("own_stream") << true;
        QTest::newRow("own_stream_joined") << false;
        QTest::newRow("default_stream_waited_for") << false;
        QTest::newRow("none") << false;
    }
    void a_launch_on_the_default_stream_is_told() {
        QFETCH(bool, told);
        const auto opened =
            open_user_kernel_isolated(misbehaving(QTest::currentDataTag()), "fused", isolation());
        QVERIFY2(opened, why(opened));
        const auto step = make_sample_step(StepId::attn_output, shape(), {});
        QVERIFY(step);
        (void)run(opened->path, *step);
        for (int call = 0; call < 3; ++call) {
            const Status ran = run(opened->path, *step);
            QVERIFY2(ran.has_value() == !told, why(ran));
            if (!told) continue;
            const QString text = QString::fromStdString(ran.error().message);
            QVERIFY2(text.contains("lockstep_attn_output on attn bf16[3, 64] at position 2"),
                     qPrintable(text));
            QVERIFY2(text.contains("launched on the default stream"), qPrintable(text));
        }
        const Status ours = ours_still_runs();
        QVERIFY2(ours, why(ours));
    }

    void an_endless_kernel_is_ended() {
        IsolationOptions options = isolation();
        options.call_limit = std::chrono::milliseconds(3000);
        const auto kernel = open_user_kernel_isolated(misbehaving("loop"), "fused", options);
        QVERIFY2(kernel, why(kernel));
        const auto step = make_sample_step(StepId::attn_output, shape(), {});
        QElapsedTimer timer;
        timer.start();
        const Status ran = run(kernel->path, *step);
        const auto took = timer.elapsed();
        QVERIFY(!ran);
        const QString text = QString::fromStdString(ran.error().message);
        qInfo("%s; after %lld ms", qPrintable(text), static_cast<long long>(took));
        QVERIFY2(text.contains("did not return within 3 s"), qPrintable(text));
        QVERIFY(took < 15'000);
        const Status ours = ours_still_runs();
        QVERIFY2(ours, why(ours));
    }

    // Weights are sent once; one that has changed where it lies is sent again.
    void a_weight_that_changed_is_seen() {
        const auto kernel = open_user_kernel_isolated(misbehaving("none"), "fused", isolation());
        QVERIFY2(kernel, why(kernel));
        const auto step = make_sample_step(StepId::attn_output, shape(), {});
        const auto stream = gpu_->make_stream(0);
        const auto& args = std::get<AttnOutputArgs>(step->args);
        // With the memory between its rows, as a sample has it.
        const int64_t last_row = (args.o_proj.shape[0] - 1) * args.o_proj.stride[0];
        const auto bytes =
            static_cast<size_t>(dtype_bytes(DType::bf16, last_row + args.o_proj.shape[1]));
        const auto weight = gpu_->allocate(bytes);
        QVERIFY2(weight, why(weight));
        const auto position = gpu_->allocate(sizeof(int32_t));
        QVERIFY2(position, why(position));
        QVERIFY(gpu_->copy_from_host(position->data(), args.context.position.data, sizeof(int32_t),
                                     **stream));
        std::vector<float> sums;
        for (const float scale : {1.0f, 1.0f, 2.0f}) {
            std::vector<uint16_t> values(bytes / 2);
            for (size_t i = 0; i < values.size(); ++i) {
                store_element(
                    values.data(), DType::bf16, static_cast<int64_t>(i),
                    scale * load_element(args.o_proj.data, DType::bf16, static_cast<int64_t>(i)));
            }
            QVERIFY(gpu_->copy_from_host(weight->data(), values.data(), bytes, **stream));
            StepArgs given = step->args;
            std::get<AttnOutputArgs>(given).o_proj.data = weight->data();
            step_context(given).position.data = position->data();
            const Status ran =
                run_step_from_host(kernel->path, given, OnHost::activations, **stream);
            QVERIFY2(ran, why(ran));
            double sum = 0;
            for (int64_t i = 0; i < args.hidden_attn.numel(); ++i)
                sum += std::abs(element(args.hidden_attn, i) - element(args.hidden, i));
            sums.push_back(static_cast<float>(sum));
        }
        QCOMPARE(sums[1], sums[0]);
        QVERIFY2(sums[2] > 1.9f * sums[0], "the kernel has the weight as it was");
    }

    void a_kernel_for_another_device_is_refused() {
        IsolationOptions cpu;
        const auto here = open_user_kernel_isolated(kernel_file("qkv"), "fused", cpu);
        QVERIFY(!here);
        QVERIFY2(here.error().message.find("it is for a GPU") != std::string::npos, why(here));
        const auto there =
            open_user_kernel_isolated(kernel_file("gpu-for-the-cpu"), "fused", isolation());
        QVERIFY(!there);
        QVERIFY2(there.error().message.find("it is for the CPU") != std::string::npos, why(there));
        QVERIFY(!open_user_kernel_in_process(kernel_file("qkv")));
    }

    // Once it has passed: in this process, and recorded where it says that it can be.
    void what_has_passed_is_chatted_with() {
        QTemporaryDir folder;
        TinyRecipe recipe = byte_recipe();
        QVERIFY(write_tiny_model(recipe, folder.filePath("tiny").toStdString()));
        LoadOptions load;
        load.device = gpu_;
        const auto loaded = load_model(folder.filePath("tiny").toStdString(), load);
        QVERIFY2(loaded, why(loaded));
        for (const char* const name : {"qkv", "gate_up_wrong"}) {
            const auto kernel = open_user_kernel_isolated(kernel_file(name), "fused", isolation());
            QVERIFY2(kernel, why(kernel));
            const auto checked = short_check({*loaded, kernel->path, 0, {}});
            QVERIFY2(checked, why(checked));
            QCOMPARE(!checked->diverged(), std::string(name) == "qkv");
            if (checked->diverged()) continue;
            const auto here = open_user_kernel_in_process(*kernel);
            QVERIFY2(here, why(here));
            QVERIFY((here->path.replayable >> static_cast<int>(StepId::qkv)) & 1);
            QVERIFY(!((kernel->path.replayable >> static_cast<int>(StepId::qkv)) & 1));
            QCOMPARE(generated(*loaded, here->path, 5), generated(*loaded, here->path, 0));
        }
    }

  private:
    // Greedy tokens, recorded under `key`.
    std::vector<int32_t> generated(const std::shared_ptr<const Model>& model,
                                   const KernelPath& with, uint64_t key) const {
        auto session = Session::create(model, *gpu_, 0, 64);
        if (!session) return {};
        std::vector<int32_t> tokens = some_ids(9, model->config.vocab_size);
        std::span<const int32_t> next = tokens;
        for (int i = 0; i < 30; ++i) {
            ForwardOptions options;
            options.replay_key = key;
            const auto logits = Forward::run(**session, with, next, options);
            if (!logits) return {};
            const float* row = logits->as<const float>();
            tokens.push_back(
                static_cast<int32_t>(std::max_element(row, row + logits->numel()) - row));
            next = std::span<const int32_t>(tokens).last(1);
        }
        return tokens;
    }
};

// This program is also the one that runs the kernels.
int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == kernel_child_word) return kernel_child_main();
    TestGpuUserKernel test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_gpu_user_kernel.moc"
