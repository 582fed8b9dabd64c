// SPDX-License-Identifier: GPL-3.0-or-later
// What the engine makes of a device that fails: every allocation of a load and of an answer, a loss
// in the middle, work that does not end. On a stand-in for a GPU, so that it runs everywhere.
#include <QElapsedTimer>
#include <QTest>
#include <cstring>
#include <thread>

#include "core/model/memory_fit.h"
#include "core/run/engine.h"
#include "tests/support/engine_requests.h"
#include "tests/support/failing_device.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int64_t context = 96;
using Fault = FailingDevice::Fault;

GenerateRequest chat(int64_t max_tokens = 12) {
    return chat_request("Hello, how are you?", max_tokens);
}

Engine::Options small() {
    Engine::Options options;
    options.threads = 1;
    options.context = context;
    return options;
}

template <class T>
QByteArray words(const Result<T>& result) {
    return result ? QByteArray("(fine)") : QByteArray::fromStdString(result.error().message);
}

}  // namespace

class TestDeviceFaults : public QObject {
    Q_OBJECT
    QTemporaryDir folder_;
    std::filesystem::path model() const { return folder_.path().toStdString() + "/tiny"; }

    // What an engine on the CPU answers.
    std::string expected_text(const PathChoice& path = {}) {
        Engine engine;
        if (!engine.load(model(), {}, small()) || !engine.set_path(path)) return "(not loaded)";
        const auto result = engine.generate(chat(), {});
        return result ? result->text : "(no answer)";
    }

  private Q_SLOTS:
    void initTestCase() {
        FailingDevice::install_paths();
        QVERIFY(write_tiny_model(byte_recipe(), model()));
    }

    void chats_as_the_cpu_does() {
        FailingDevice device;
        {
            Engine engine;
            const Status loaded = engine.load(model(), load_on(device), small());
            QVERIFY2(loaded, words(loaded));
            const auto result = engine.generate(chat(), {});
            QVERIFY2(result, words(result));
            QCOMPARE(result->text, expected_text());
            QVERIFY(device.steps() > 0);
        }
        QCOMPARE(device.bytes_in_use(), size_t{0});
    }

    // Each part is sent while the next one is filled, and none is filled before it has arrived: the
    // stand-in copies as late as it may.
    void weights_arrive_whole() {
        FailingDevice device;
        const auto there = load_model(model(), load_on(device));
        const auto here = load_model(model(), {});
        QVERIFY2(there, words(there));
        QVERIFY(here);
        QVERIFY(device.most_copies_waiting() >= 1);
        const auto same = [](const Tensor& a, const Tensor& b) {
            return a.bytes() == b.bytes() &&
                   std::memcmp(a.data, b.data, static_cast<size_t>(a.bytes())) == 0;
        };
        const Weights &own = (*there)->weights, &cpu = (*here)->weights;
        QVERIFY(same(own.embed_tokens, cpu.embed_tokens));
        QVERIFY(same(own.norm, cpu.norm));
        QCOMPARE(own.layers.size(), cpu.layers.size());
        for (size_t i = 0; i < own.layers.size(); ++i) {
            QVERIFY(same(own.layers[i].q_proj, cpu.layers[i].q_proj));
            QVERIFY(same(own.layers[i].down_proj, cpu.layers[i].down_proj));
            QVERIFY(same(own.layers[i].input_layernorm, cpu.layers[i].input_layernorm));
        }
    }

    void every_allocation_of_a_load_may_fail() {
        FailingDevice device;
        Engine engine;
        QVERIFY(engine.load(model(), load_on(device), small()));
        const size_t in_use = device.bytes_in_use();
        const int64_t first = device.allocations();
        QVERIFY(engine.load(model(), load_on(device), small()));
        const int64_t count = device.allocations() - first;
        QVERIFY(count > 5);
        for (int64_t n = 1; n <= count; ++n) {
            device.fail_allocation(n);
            const auto kept = engine.model();
            const Status failed = engine.load(model(), load_on(device), small());
            QVERIFY2(!failed, qPrintable(QString::number(n)));
            QCOMPARE(failed.error().kind, ErrorKind::out_of_memory);
            QVERIFY2(words(failed).contains("could not allocate"), words(failed));
            QCOMPARE(engine.model(), kept);
            QVERIFY(engine.generate(chat(2), {}));  // never sticky
            QVERIFY(engine.load(model(), load_on(device), small()));
        }
        QCOMPARE(device.bytes_in_use(), in_use);
    }

    // Truth changes the activations' dtype: that allocates in the middle of a conversation.
    void every_allocation_of_an_answer_may_fail() {
        FailingDevice device;
        const std::string expected = expected_text(PathChoice("truth"));
        const auto prepared = [&](Engine& engine) {
            return engine.load(model(), load_on(device), small()) && engine.generate(chat(3), {}) &&
                   engine.set_path(PathChoice("truth"));
        };
        int64_t count = 0;
        {
            Engine engine;
            QVERIFY(prepared(engine));
            count = -device.allocations();
            QVERIFY(engine.generate(chat(), {}));
            count += device.allocations();
        }
        QVERIFY(count >= 2);
        for (int64_t n = 1; n <= count; ++n) {
            Engine engine;
            QVERIFY(prepared(engine));
            device.fail_allocation(n);
            const auto failed = engine.generate(chat(), {});
            QVERIFY2(!failed, qPrintable(QString::number(n)));
            QCOMPARE(failed.error().kind, ErrorKind::out_of_memory);
            engine.forget_conversation();
            const auto next = engine.generate(chat(), {});
            QVERIFY2(next, words(next));
            QCOMPARE(next->text, expected);
        }
        QCOMPARE(device.bytes_in_use(), size_t{0});
    }

    void a_longer_context_that_does_not_fit_leaves_the_old_one() {
        FailingDevice device;
        Engine engine;
        QVERIFY(engine.load(model(), load_on(device), small()));
        Engine::Options longer = small();
        longer.context = 2 * context;
        device.fail_allocation(1);  // with the old session in place; without it there is room
        QVERIFY(engine.configure(longer));
        QCOMPARE(engine.context(), 2 * context);
        QVERIFY(engine.generate(chat(2), {}));
    }

    void too_little_memory_is_said_before_anything_is_loaded() {
        FailingDevice device;
        LoadOptions options = load_on(device);
        options.context = 512;
        options.dtype = DType::f32;
        const auto enough = fit_memory(model(), options);
        QVERIFY2(enough, words(enough));
        QVERIFY(enough->fits());
        device.set_free_memory(static_cast<size_t>(enough->needed.total()) - 1);
        const auto fit = fit_memory(model(), options);
        QVERIFY(fit && !fit->fits());
        QCOMPARE(fit->shorter_context, int64_t{256});
        QVERIFY(fit->as_bf16);
        QVERIFY(fit->on_cpu);
        const auto refused = load_model(model(), options);
        QVERIFY(!refused);
        QCOMPARE(refused.error().kind, ErrorKind::out_of_memory);
        QVERIFY2(words(refused).contains("what fits: a context of 256 tokens, or bf16 weights, or "
                                         "the CPU"),
                 words(refused));
        QCOMPARE(device.allocations(), int64_t{0});
        // What is offered fits indeed.
        LoadOptions shorter = options;
        shorter.context = fit->shorter_context;
        QVERIFY(load_model(model(), shorter));
        LoadOptions narrower = options;
        narrower.dtype = DType::bf16;
        QVERIFY(load_model(model(), narrower));
    }

    // A model that fits only where the one in use was.
    void makes_room_for_the_next_model() {
        FailingDevice device;
        Engine engine;
        QVERIFY(engine.load(model(), load_on(device), small()));
        LoadOptions options = load_on(device);
        options.context = context;
        const auto needed = estimate_memory(model(), options);
        QVERIFY(needed);
        const std::weak_ptr<const Model> before = engine.model();
        device.set_free_memory(static_cast<size_t>(needed->total() - needed->weights / 2));
        const Status loaded = engine.load(model(), load_on(device), small());
        QVERIFY(!loaded);  // this device's free memory is only a number: it does not grow
        QVERIFY(before.expired());
        QVERIFY(!engine.model());
        QVERIFY(!engine.generate(chat(2), {}));
        device.set_free_memory(static_cast<size_t>(needed->total()));
        QVERIFY(engine.load(model(), load_on(device), small()));
        device.set_free_memory(1000);  // not even without it: it stays
        QVERIFY(!engine.load(model(), load_on(device), small()));
        QVERIFY(engine.model());
    }

    void a_lost_device_is_final_and_the_cpu_goes_on_data() {
        QTest::addColumn<int>("step");
        for (const int step : {1, 2, 9, 40}) QTest::addRow("at step %d", step) << step;
    }
    void a_lost_device_is_final_and_the_cpu_goes_on() {
        QFETCH(int, step);
        FailingDevice device;
        Engine engine;
        QVERIFY(engine.load(model(), load_on(device), small()));
        device.fault_at_step(step, Fault::lost);
        const auto failed = engine.generate(chat(), {});
        QVERIFY(!failed);
        QCOMPARE(failed.error().kind, ErrorKind::device_lost);
        QVERIFY2(words(failed).contains("path fused, step"), words(failed));
        QCOMPARE(engine.generate(chat(), {}).error().kind, ErrorKind::device_lost);
        QCOMPARE(engine.load(model(), load_on(device), small()).error().kind,
                 ErrorKind::device_lost);
        QVERIFY(engine.load(model(), {}, small()));
        const auto answer = engine.generate(chat(), {});
        QVERIFY2(answer, words(answer));
        QCOMPARE(answer->text, expected_text());
    }

    void work_that_does_not_end_is_given_up_after_a_stop_data() {
        QTest::addColumn<int>("step");
        QTest::newRow("in the prompt") << 3;
        QTest::newRow("in the answer") << 60;
    }
    void work_that_does_not_end_is_given_up_after_a_stop() {
        QFETCH(int, step);
        FailingDevice device;
        Engine engine;
        QVERIFY(engine.load(model(), load_on(device), small()));
        device.fault_at_step(step, Fault::busy_queue);
        QElapsedTimer since_stop;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(150));
            since_stop.start();
            engine.cancel();
        });
        const auto result = engine.generate(chat(60), {});
        QVERIFY(since_stop.isValid());
        QVERIFY2(since_stop.elapsed() < 1000, "it took a second or longer");
        QVERIFY(!result);
        QCOMPARE(result.error().kind, ErrorKind::device_hang);
        QVERIFY(engine.load(model(), {}, small()));
        QVERIFY(engine.generate(chat(4), {}));
    }

    void automatic_takes_the_gpu_that_can_be_used() {
        FailingDevice device;
        const auto first = choose_device("auto", device.finder());
        QVERIFY(first);
        QCOMPARE(first->device, static_cast<Device*>(&device));
        device.give_up({ErrorKind::device_lost, "it fell off the bus"});
        const auto then = choose_device("auto", device.finder());
        QVERIFY(then);
        QCOMPARE(then->device, &cpu_device());
        QCOMPARE(then->no_gpu, std::string("it fell off the bus"));
        QCOMPARE(choose_device("cuda", device.finder()).error().kind, ErrorKind::device_lost);
        DeviceFinder none;
        none.gpus = []() -> Result<std::vector<GpuInfo>> {
            return fail(ErrorKind::unsupported, "no usable NVIDIA GPU: none is here");
        };
        QCOMPARE(choose_device("auto", none)->no_gpu,
                 std::string("no usable NVIDIA GPU: none is here"));
        QVERIFY(!choose_device("cuda:x", device.finder()));
    }
};

QTEST_APPLESS_MAIN(TestDeviceFaults)
#include "tst_device_faults.moc"
