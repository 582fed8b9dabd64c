// SPDX-License-Identifier: GPL-3.0-or-later
// A user's kernel in its child process: what is right goes through bit for bit, what is wrong is
// told with the step, the shape and what happened, and this process lives on.
#include <QTest>
#include <cfenv>
#include <thread>

#include "kernels/step_catalog.h"
#include "kernels/user/user_kernel.h"

using namespace lockstep;

namespace {

const StepShape shape{5, 48, 4, 2, 12, 40, 100, 9, 2, false};

std::filesystem::path kernel_file(const std::string& name) {
    return std::filesystem::path(LOCKSTEP_KERNELS_FOLDER) / (name + ".so");
}

IsolationOptions isolation() {
    IsolationOptions options;
    options.program = LOCKSTEP_KERNEL_CHILD;
    options.arguments.clear();
    return options;
}

SampleStep sample(bool strided = false) {
    SampleOptions options;
    options.strided = strided;
    return *make_sample_step(StepId::attn_output, shape, options);
}

std::unique_ptr<Stream> stream() {
    return *cpu_device().make_stream(2);
}

Status run(const KernelPath& path, const SampleStep& step) {
    const std::unique_ptr<Stream> own = stream();
    return run_step(path, step.args, *own);
}

std::vector<float> output(const SampleStep& step) {
    const Tensor& tensor = std::get<AttnOutputArgs>(step.args).hidden_attn;
    std::vector<float> values;
    for (int64_t i = 0; i < tensor.numel(); ++i) values.push_back(element(tensor, i));
    return values;
}

bool all_nan(const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
}

QString text_of(const Status& status) {
    return status ? QString("no error") : QString::fromStdString(status.error().message);
}

}  // namespace

#define OPENED(kernel) QVERIFY2(kernel, kernel ? "" : kernel.error().message.c_str())

class TestUserKernel : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_right_kernel_goes_through_bit_for_bit_data() {
        QTest::addColumn<bool>("strided");
        QTest::newRow("contiguous") << false;
        QTest::newRow("strided") << true;
    }
    void a_right_kernel_goes_through_bit_for_bit() {
        QFETCH(bool, strided);
        const auto isolated =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "fused", isolation());
        QVERIFY2(isolated, isolated ? "" : isolated.error().message.c_str());
        const auto here = open_user_kernel_in_process(*isolated);
        QVERIFY2(here, here ? "" : here.error().message.c_str());
        QCOMPARE(isolated->path.name, std::string("misbehaving-none.so"));
        QCOMPARE(isolated->steps, std::vector<StepId>{StepId::attn_output});
        const SampleStep first = sample(strided), second = sample(strided);
        const Status there = run(isolated->path, first), there_again = run(isolated->path, first);
        QVERIFY2(there && there_again, qPrintable(text_of(there)));
        QVERIFY(run(here->path, second));
        QCOMPARE(output(first), output(second));
        QVERIFY(!std::isnan(output(first).front()));
    }

    void the_other_steps_are_the_base_s() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "reference", isolation());
        QVERIFY(kernel);
        const SampleStep ours = *make_sample_step(StepId::down, shape, {});
        const SampleStep base = *make_sample_step(StepId::down, shape, {});
        QVERIFY(run(kernel->path, ours));
        QVERIFY(run(*find_kernel_path(DeviceKind::cpu, "reference"), base));
        const Tensor &a = std::get<DownArgs>(ours.args).hidden,
                     &b = std::get<DownArgs>(base.args).hidden;
        for (int64_t i = 0; i < a.numel(); ++i) QCOMPARE(element(a, i), element(b, i));
    }

    // Another weight at the same address, and the same weights again after others pushed them out.
    void a_weight_is_never_an_old_one() {
        IsolationOptions options = isolation();
        options.kept_weight_bytes = 1;
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "fused", options);
        const auto here = open_user_kernel_in_process(*kernel);
        OPENED(here);
        SampleStep step = sample();
        for (int round = 0; round < 3; ++round) {
            auto& args = std::get<AttnOutputArgs>(step.args);
            store_element(args.o_proj.data, args.o_proj.dtype, 7, static_cast<float>(round));
            QVERIFY(run(kernel->path, step));
            const std::vector<float> got = output(step);
            QVERIFY(run(here->path, step));
            QCOMPARE(got, output(step));
            QVERIFY(run(kernel->path, sample()));  // at another address
        }
    }

    void a_fault_is_told_and_this_process_lives_on_data() {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<QString>("told");
        const auto row = [](const char* kernel, const char* told) {
            QTest::newRow(kernel) << kernel << told;
        };
#if defined(__SANITIZE_ADDRESS__)
        const char* const heap = "lockstep_attn_output";  // AddressSanitizer ends it its own way
#else
        const char* const heap = "crashed \\(SIGABRT\\); the last it printed: \".*(free|malloc)";
#endif
        row("null", "crashed \\(SIGSEGV\\): it wrote to a null pointer");
        row("divide", "crashed \\(SIGFPE\\)");
        row("abort", "crashed \\(SIGABRT\\)");
        row("exit", "ended its process with exit\\(0\\)");
        row("_exit", "ended its process with exit\\(3\\)");
        row("kill", "was ended by SIGKILL");
        row("close", "was ended by|ended its process|closed");
        row("return", "returned 7: seven is not a tile size");
        row("throw", "threw an exception: no such tile");
        row("stack", "crashed \\(SIGSEGV\\): its stack overflowed");
        row("heap", heap);
        row("past_end_little", "wrote 2 bytes past the end of hidden_attn bf16\\[5, 48\\]");
        row("past_end_far", "it wrote to hidden_attn bf16\\[5, 48\\], 10000 bytes past its end");
        row("before_start", "wrote 4 bytes before hidden_attn bf16\\[5, 48\\]");
        row("input", "it wrote to hidden bf16\\[5, 48\\], which it may only read");
        row("weight", "it wrote to o_proj bf16\\[48, 48\\], which it may only read");
        row("read_past_end", "it read hidden bf16\\[5, 48\\], 6000 bytes past its end");
        row("print_and_abort", "the last it printed: \"the tile is odd\"");
    }
    void a_fault_is_told_and_this_process_lives_on() {
        QFETCH(QString, kernel);
        QFETCH(QString, told);
        const auto opened = open_user_kernel_isolated(
            kernel_file("misbehaving-" + kernel.toStdString()), "fused", isolation());
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        // Twice: the second call has a process of its own.
        for (int call = 0; call < 2; ++call) {
            const SampleStep step = sample();
            const Status ran = run(opened->path, step);
            QVERIFY2(!ran, "it must not pass");
            const QString text = text_of(ran);
            QVERIFY2(text.startsWith("lockstep_attn_output on attn bf16[5, 48] at position 2: "),
                     qPrintable(text));
            QVERIFY2(text.contains(QRegularExpression(told)), qPrintable(text));
            QVERIFY2(!text.contains('\n'), qPrintable(text));
            QVERIFY(all_nan(output(step)));
        }
    }

    void a_call_that_does_not_return_is_ended_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("endless loop") << "loop";
#if !defined(__SANITIZE_ADDRESS__)  // whose runtime ends a process that has lost its first thread
        QTest::newRow("only its thread ends") << "pthread_exit";
#endif
    }
    void a_call_that_does_not_return_is_ended() {
        QFETCH(QString, name);
        IsolationOptions options = isolation();
        options.call_limit = std::chrono::milliseconds(300);
        const auto kernel = open_user_kernel_isolated(
            kernel_file("misbehaving-" + name.toStdString()), "fused", options);
        QVERIFY(kernel);
        const Status ran = run(kernel->path, sample());
        QVERIFY(!ran);
        QVERIFY2(text_of(ran).contains("did not return within 0.3"), qPrintable(text_of(ran)));
    }

    void a_call_can_be_cancelled() {
        IsolationOptions options = isolation();
        std::atomic<bool> stop = false;  // not while it is loaded
        options.cancelled = [&] { return stop.load(); };
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-loop"), "fused", options);
        QVERIFY(kernel);
        stop = true;
        const Status ran = run(kernel->path, sample());
        QVERIFY(!ran);
        QCOMPARE(ran.error().kind, ErrorKind::cancelled);
    }

    // A library built with -ffast-math changes it for the thread that loads it.
    void the_program_s_rounding_stays() {
        const auto here = open_user_kernel_in_process(kernel_file("misbehaving-rounding"));
        QVERIFY(here);
        QCOMPARE(std::fegetround(), FE_TONEAREST);
        QVERIFY(run(here->path, sample()));
        QCOMPARE(std::fegetround(), FE_TONEAREST);
    }

    // A kernel that needs more alignment than there is fails in either process.
    void memory_is_aligned_as_the_program_s_is() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-alignment"), "fused", isolation());
        OPENED(kernel);
        SampleStep step = sample();
        auto& args = std::get<AttnOutputArgs>(step.args);
        QVERIFY(run(kernel->path, step));  // 0
        for (Tensor* tensor : {&args.attn, &args.hidden, &args.hidden_attn})
            *tensor = tensor->rows(1, 4);
        const Status ran = run(kernel->path, step);
        QVERIFY2(text_of(ran).contains("returned 32"), qPrintable(text_of(ran)));
    }

    void a_write_between_rows_is_told() {
        const auto kernel = open_user_kernel_isolated(kernel_file("misbehaving-between_rows"),
                                                      "fused", isolation());
        OPENED(kernel);
        const Status ran = run(kernel->path, sample(true));
        QVERIFY2(text_of(ran).contains("wrote between the rows of hidden_attn bf16[5, 48] strides"),
                 qPrintable(text_of(ran)));
    }

    void what_is_not_written_stays_nan() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-unwritten"), "fused", isolation());
        OPENED(kernel);
        SampleStep step = sample();
        auto& out = std::get<AttnOutputArgs>(step.args).hidden_attn;
        for (int64_t i = 0; i < out.numel(); ++i) store_element(out.data, out.dtype, i, 1);
        QVERIFY(run(kernel->path, step));
        QVERIFY(all_nan(output(step)));
    }

    void much_output_is_taken_in_and_handed_on() {
        IsolationOptions options = isolation();
        size_t bytes = 0;
        options.on_output = [&](std::string_view text) { bytes += text.size(); };
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-print"), "fused", options);
        QVERIFY(run(kernel->path, sample()));
        QVERIFY2(bytes > 2'900'000, qPrintable(QString::number(bytes)));
    }

    void a_thread_that_crashes_later_is_told() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-thread"), "fused", isolation());
        OPENED(kernel);
        QElapsedTimer clock;
        clock.start();
        Status ran;
        while (ran && clock.elapsed() < 60000) ran = run(kernel->path, sample());
        QVERIFY2(text_of(ran).contains("crashed (SIGSEGV) in a thread that it had started"),
                 qPrintable(text_of(ran)));
    }

    // Two processes answer one call; the second answer is nobody's.
    void a_kernel_that_forks_is_not_answered_twice() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-fork"), "fused", isolation());
        OPENED(kernel);
        const auto honest = open_user_kernel_in_process(kernel_file("misbehaving-none"));
        OPENED(honest);
        for (int call = 0; call < 3; ++call) {
            const SampleStep step = sample(), right = sample();
            QVERIFY(run(kernel->path, step));
            QVERIFY(run(honest->path, right));
            QCOMPARE(output(step), output(right));
        }
    }

    void calls_from_several_threads_take_turns() {
        const auto kernel =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "fused", isolation());
        OPENED(kernel);
        const SampleStep right = sample();
        QVERIFY(run(kernel->path, right));
        std::atomic<int> wrong = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                for (int call = 0; call < 20; ++call) {
                    const SampleStep step = sample();
                    wrong += !run(kernel->path, step) || output(step) != output(right);
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        QCOMPARE(wrong.load(), 0);
    }

    void a_file_that_is_no_kernel_is_refused_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("told");
        const auto built = [](const char* name) {
            return QString::fromStdString(kernel_file(name).string());
        };
        QTest::newRow("missing") << "/nowhere/my_kernel.so"
                                 << "No such file";
        QTest::newRow("folder") << LOCKSTEP_KERNELS_FOLDER << "not a file";
        QTest::newRow("source") << LOCKSTEP_SOURCE_DIR "/kernels/steps.h"
                                << "not a shared object";
        QTest::newRow("empty") << write("empty.so", {}) << "the file is empty";
        QTest::newRow("program") << LOCKSTEP_KERNEL_CHILD << "position-independent executable";
        QByteArray bytes = read(built("misbehaving-none"));
        QTest::newRow("cut") << write("cut.so", bytes.left(bytes.size() / 3)) << "cut short";
        QTest::newRow("header only") << write("header.so", bytes.left(40)) << "cut short";
        bytes[18] = static_cast<char>(bytes[18] ^ 0x55);
        QTest::newRow("machine") << write("machine.so", bytes) << "built for machine type";
        QTest::newRow("no version") << built("unfit-no_version") << "include lockstep_kernel.h";
        QTest::newRow("version")
            << built("unfit-wrong_version")
            << "built for version 99 of lockstep_kernel.h, but this is version 2";
        QTest::newRow("nothing") << built("unfit-exports_nothing")
                                 << "exports none of lockstep_embed";
        QTest::newRow("symbol") << built("unfit-undefined_symbol")
                                << "undefined symbol: launch_my_tile";
        QTest::newRow("gpu") << built("unfit-for_a_gpu") << "it is for a GPU";
    }
    void a_file_that_is_no_kernel_is_refused() {
        QFETCH(QString, file);
        QFETCH(QString, told);
        const std::filesystem::path path(file.toStdString());
        const auto isolated = open_user_kernel_isolated(path, "fused", isolation());
        const auto here = open_user_kernel_in_process(path);
        for (const auto* opened : {&isolated, &here}) {
            QVERIFY2(!*opened, "it must be refused");
            const QString text = QString::fromStdString(opened->error().message);
            QVERIFY2(text.startsWith(file + ": "), qPrintable(text));
            QVERIFY2(text.contains(told) && !text.contains('\n') && !text.contains("/proc/"),
                     qPrintable(text));
        }
    }

    void a_file_that_misbehaves_while_it_is_loaded_is_refused_data() {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<QString>("told");
        QTest::newRow("crash") << "crash_at_load"
                               << "loading it: crashed (SIGSEGV)";
        QTest::newRow("loop") << "loop_at_load"
                              << "loading it took longer than 0.5 s";
        QTest::newRow("exit") << "exit_at_load"
                              << "loading it: ended its process with exit(0)";
    }
    void a_file_that_misbehaves_while_it_is_loaded_is_refused() {
        QFETCH(QString, kernel);
        QFETCH(QString, told);
        IsolationOptions options = isolation();
        if (kernel == "loop_at_load") options.load_limit = std::chrono::milliseconds(500);
        const auto opened = open_user_kernel_isolated(
            kernel_file("misbehaving-" + kernel.toStdString()), "fused", options);
        QVERIFY(!opened);
        const QString text = QString::fromStdString(opened.error().message);
        QVERIFY2(text.contains(told), qPrintable(text));
    }

    void a_wrong_base_and_a_missing_child_are_told() {
        const auto base = open_user_kernel_isolated(kernel_file("misbehaving-none"), "fast");
        QVERIFY(!base && base.error().message.find("truth, reference, fused") != std::string::npos);
        IsolationOptions options;
        options.program = "/nowhere/lockstep";
        const auto child =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "fused", options);
        QVERIFY(!child && child.error().message.find("could not be started") != std::string::npos);
        options.program = "/bin/true";  // not one that runs kernels
        const auto other =
            open_user_kernel_isolated(kernel_file("misbehaving-none"), "fused", options);
        QVERIFY(!other);
    }

    // The compiler writes the new kernel over the old one: what is open stays, what is opened is
    // new.
    void a_new_build_is_taken_in() {
        const QString file = write("reloaded.so", read(kernel_file("misbehaving-none").c_str()));
        const std::filesystem::path path(file.toStdString());
        const auto old_isolated = open_user_kernel_isolated(path, "fused", isolation());
        const auto old_here = open_user_kernel_in_process(path);
        QVERIFY(old_isolated && old_here);
        write("reloaded.so", read(kernel_file("misbehaving-return").c_str()));
        const auto new_isolated = open_user_kernel_isolated(path, "fused", isolation());
        const auto new_here = open_user_kernel_in_process(*new_isolated);
        QVERIFY(new_isolated && new_here);
        QVERIFY(run(old_isolated->path, sample()));
        QVERIFY(run(old_here->path, sample()));
        QVERIFY(text_of(run(new_isolated->path, sample())).contains("returned 7"));
        QVERIFY(text_of(run(new_here->path, sample())).contains("returned 7"));
    }

  private:
    QTemporaryDir folder_;

    QString write(const char* name, const QByteArray& bytes) {
        QFile file(folder_.filePath(name));
        if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate)) return {};
        file.write(bytes);
        return file.fileName();
    }
    static QByteArray read(const QString& name) {
        QFile file(name);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
};

QTEST_GUILESS_MAIN(TestUserKernel)
#include "tst_user_kernel.moc"
