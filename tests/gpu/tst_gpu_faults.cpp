// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of a chat whose GPU fails: memory that runs out at any allocation, and, each in a
// process of its own, a kernel that writes where it must not and one that does not end.
#include <QElapsedTimer>
#include <QProcess>
#include <QTest>
#include <cstdlib>
#include <thread>

#include "core/run/engine.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cuda_stream.h"
#include "kernels/gpu_info.h"
#include "tests/gpu/faulty_kernels.h"
#include "tests/support/engine_requests.h"
#include "tests/support/models.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr const char* child_fault = "LOCKSTEP_TEST_FAULT";
constexpr const char* child_model = "LOCKSTEP_TEST_MODEL";

GenerateRequest chat(int64_t max_tokens = 24) {
    return chat_request("Hello, how are you?", max_tokens);
}

Engine::Options context_of(int64_t context) {
    Engine::Options options;
    options.context = context;
    return options;
}

template <class T>
std::string words(const Result<T>& result) {
    return result ? "(fine)" : result.error().message;
}

int end_child(const std::string& problem) {
    if (!problem.empty()) std::fprintf(stderr, "child: %s\n", problem.c_str());
    std::fflush(stderr);
    return problem.empty() ? 0 : 1;
}

// What the CPU says after the GPU has gone; empty where all is well.
std::string go_on_by_cpu(Engine& engine, const std::filesystem::path& model, Device& gpu) {
    if (gpu.allocate(1 << 20)) return "the GPU still gives memory";
    if (engine.load(model, load_on(gpu), context_of(128))) return "a model loads on the lost GPU";
    const Status loaded = engine.load(model, {}, context_of(128));
    if (!loaded) return "the CPU does not load: " + words(loaded);
    const auto answer = engine.generate(chat(), {});
    if (!answer) return "the CPU does not answer: " + words(answer);
    Engine fresh;
    if (!fresh.load(model, {}, context_of(128))) return "a fresh engine does not load";
    const auto expected = fresh.generate(chat(), {});
    return expected && expected->text == answer->text ? "" : "the CPU answers something else";
}

// In a child: 0 where everything is as it must be.
int run_child(const std::string& fault, const std::filesystem::path& model) {
    const auto gpu = cuda_device(0);
    if (!gpu) return end_child(words(gpu));
    const bool endless = fault == "endless";
    std::string problem;
    {
        Engine engine;
        const Status loaded = engine.load(model, load_on(**gpu), context_of(128));
        if (!loaded) return end_child(words(loaded));
        if (const auto first = engine.generate(chat(4), {}); !first) return end_child(words(first));
        const int64_t call = fault == "illegal_prompt" ? 1 : 40;
        const auto kernel = endless ? FaultyKernel::endless : FaultyKernel::illegal_address;
        if (!engine.set_path(PathChoice(faulty_path(kernel, call))))
            return end_child("the faulty path is refused");
        QElapsedTimer since_stop;
        std::jthread stopper([&] {
            if (!endless) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
            since_stop.start();
            engine.cancel();
        });
        const auto failed = engine.generate(chat(), {});
        stopper.join();
        const ErrorKind wanted = endless ? ErrorKind::device_hang : ErrorKind::device_lost;
        if (failed) return end_child("the fault went unnoticed");
        std::fprintf(stderr, "child: %s\n", words(failed).c_str());
        if (failed.error().kind != wanted) return end_child("another kind of error");
        if (endless) std::fprintf(stderr, "child: %lld ms after the stop\n", since_stop.elapsed());
        if (endless && since_stop.elapsed() >= 1000) return end_child("a second or longer");
        problem = go_on_by_cpu(engine, model, **gpu);
    }
    const int status = end_child(problem);
    if (endless) std::_Exit(status);  // as the window ends
    return status;
}

}  // namespace

class TestGpuFaults : public QObject {
    Q_OBJECT
    Device* gpu_ = nullptr;
    QTemporaryDir folder_;
    std::filesystem::path model_;

    CudaDevice& cuda() { return static_cast<CudaDevice&>(*gpu_); }
    // The n-th allocation from now on fails, once; returns what has been counted until it is asked.
    std::shared_ptr<int64_t> fail_allocation(int64_t n) {
        auto count = std::make_shared<int64_t>(0);
        cuda().on_allocation = [count, n](size_t) -> Status {
            if (++*count == n) return fail(ErrorKind::out_of_memory, "no memory: a test says so");
            return {};
        };
        return count;
    }

  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
        model_ = folder_.path().toStdString() + "/tiny";
        QVERIFY(write_tiny_model(byte_recipe(), model_));
    }
    void cleanup() {
        if (gpu_) cuda().on_allocation = {};
    }

    // A wait that can be left, against the driver's own, which cannot: some 0.2 ms of work, many
    // times over.
    void polling_is_no_slower_than_blocking() {
        auto made = gpu_->make_stream(0);
        QVERIFY(made);
        auto memory = gpu_->allocate(size_t{256} << 20);
        QVERIFY2(memory, words(memory).c_str());
        cudaStream_t stream = cuda_stream(**made).handle();
        const auto microseconds = [&](const std::function<bool()>& wait) {
            QElapsedTimer clock;
            clock.start();
            for (int i = 0; i < 2000; ++i) {
                (void)cudaMemsetAsync(memory->data(), i & 1, memory->bytes(), stream);
                if (!wait()) return -1.0;
            }
            return double(clock.nsecsElapsed()) / 2000 / 1e3;
        };
        const auto blocking = [&] { return cudaStreamSynchronize(stream) == cudaSuccess; };
        const auto polling = [&] { return (*made)->synchronize().has_value(); };
        (void)microseconds(blocking);
        const double before = microseconds(blocking), polled = microseconds(polling),
                     after = microseconds(blocking);
        qInfo("a wait: %.2f us polled; %.2f and %.2f us blocking", polled, before, after);
        QVERIFY(polled > 0 && polled < std::max(before, after) + 5);
    }

    void every_allocation_of_a_load_may_fail() {
        Engine engine;
        QVERIFY(engine.load(model_, load_on(*gpu_), context_of(128)));
        QVERIFY(engine.generate(chat(), {}));
        const auto count = fail_allocation(0);
        QVERIFY(engine.load(model_, load_on(*gpu_), context_of(128)));
        const int64_t all = *count;
        QVERIFY(all > 5);
        const size_t free = gpu_->free_memory();
        for (int64_t n = 1; n <= all; ++n) {
            const auto kept = engine.model();
            fail_allocation(n);
            const Status failed = engine.load(model_, load_on(*gpu_), context_of(128));
            QVERIFY2(!failed, qPrintable(QString::number(n)));
            QCOMPARE(failed.error().kind, ErrorKind::out_of_memory);
            QCOMPARE(engine.model(), kept);
            const auto next = engine.generate(chat(2), {});
            QVERIFY2(next, words(next).c_str());
            QVERIFY(engine.load(model_, load_on(*gpu_), context_of(128)));
        }
        qInfo("%lld allocations of a load, each failed once", static_cast<long long>(all));
        QVERIFY(gpu_->free_memory() + (size_t{8} << 20) >= free);
    }

    void every_allocation_of_an_answer_may_fail_data() {
        QTest::addColumn<QString>("path");
        for (const char* path : {"fused", "reference", "truth"}) QTest::newRow(path) << path;
    }
    void every_allocation_of_an_answer_may_fail() {
        QFETCH(QString, path);
        const PathChoice choice(path.toStdString());
        const auto prepare = [&](Engine& engine) {
            return engine.load(model_, load_on(*gpu_), context_of(128)) && engine.set_path(choice);
        };
        std::string expected;
        int64_t all = 0;
        {
            Engine engine;
            QVERIFY(prepare(engine));
            const auto count = fail_allocation(0);
            const auto answer = engine.generate(chat(), {});
            QVERIFY2(answer, words(answer).c_str());
            expected = answer->text;
            all = *count;
        }
        QVERIFY(all >= 1);
        for (int64_t n = 1; n <= all; ++n) {
            Engine engine;
            QVERIFY(prepare(engine));
            fail_allocation(n);
            const auto failed = engine.generate(chat(), {});
            QVERIFY2(!failed, qPrintable(QString::number(n)));
            QCOMPARE(failed.error().kind, ErrorKind::out_of_memory);
            const auto next = engine.generate(chat(), {});
            QVERIFY2(next, words(next).c_str());
            QCOMPARE(next->text, expected);
        }
        qInfo("%lld allocations of an answer, each failed once", static_cast<long long>(all));
    }

    // The real thing: no memory is left.
    void a_full_gpu_is_said_and_not_sticky() {
        const size_t left = size_t{48} << 20;
        auto hog = gpu_->allocate(gpu_->free_memory() - left);
        QVERIFY2(hog, words(hog).c_str());
        const auto refused = gpu_->allocate(size_t{4} << 30);
        QVERIFY(!refused);
        QCOMPARE(refused.error().kind, ErrorKind::out_of_memory);
        Engine engine;
        LoadOptions options = load_on(*gpu_);
        const Status loaded = engine.load(model_, options, context_of(128));
        QVERIFY(!loaded);
        QCOMPARE(loaded.error().kind, ErrorKind::out_of_memory);
        qInfo("%s", loaded.error().message.c_str());
        hog = Buffer();
        QVERIFY(engine.load(model_, options, context_of(128)));
        QVERIFY(engine.generate(chat(), {}));
    }

    void a_fault_ends_cuda_and_the_cpu_goes_on_data() {
        QTest::addColumn<QString>("fault");
        QTest::newRow("illegal address in the prompt") << QStringLiteral("illegal_prompt");
        QTest::newRow("illegal address in the answer") << QStringLiteral("illegal_answer");
        QTest::newRow("endless kernel, stopped") << QStringLiteral("endless");
    }
    void a_fault_ends_cuda_and_the_cpu_goes_on() {
        QFETCH(QString, fault);
        QProcess child;
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert(QLatin1String(child_fault), fault);
        environment.insert(QLatin1String(child_model), QString::fromStdString(model_.string()));
        child.setProcessEnvironment(environment);
        child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
        QElapsedTimer clock;
        clock.start();
        child.start(QCoreApplication::applicationFilePath(), QStringList());
        QVERIFY(child.waitForFinished(60000));
        qInfo("%s: ended after %lld ms", qPrintable(fault), clock.elapsed());
        QCOMPARE(child.exitStatus(), QProcess::NormalExit);
        QCOMPARE(child.exitCode(), 0);
        // And another process, this one, has the GPU as before.
        clock.start();
        Engine engine;
        QVERIFY(engine.load(model_, load_on(*gpu_), context_of(128)));
        QVERIFY(engine.generate(chat(4), {}));
        qInfo("the GPU answers another process %lld ms later", clock.elapsed());
    }
};

int main(int argc, char** argv) {
    const std::string fault = environment_path(child_fault).string();
    if (!fault.empty()) return run_child(fault, environment_path(child_model));
    QCoreApplication application(argc, argv);
    TestGpuFaults test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_gpu_faults.moc"
