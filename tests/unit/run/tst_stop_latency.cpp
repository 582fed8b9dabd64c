// SPDX-License-Identifier: GPL-3.0-or-later
// How soon the engine stops, with a model of real size.
#include <QTest>
#include <atomic>
#include <thread>

#include "core/run/answer.h"
#include "core/run/engine.h"
#include "tests/support/models.h"

using namespace lockstep;
using namespace lockstep::test;

class TestStopLatency : public QObject {
    Q_OBJECT
  private:
    std::filesystem::path path_;

  private Q_SLOTS:
    void initTestCase() {
        LOCKSTEP_NEED_MODEL(path, default_model());
        path_ = path;
    }

    void a_stop_is_honoured_soon_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<bool>("prefill");
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
            for (const bool prefill : {true, false}) {
                QTest::addRow("%s, %s", path.name.c_str(), prefill ? "prefill" : "decode")
                    << QString::fromStdString(path.name) << prefill;
            }
        }
    }
    // Of some tries the best counts: what else the machine does is no property of the engine.
    void a_stop_is_honoured_soon() {
        QFETCH(QString, path);
        QFETCH(bool, prefill);
        Engine engine;
        QVERIFY(engine.set_path(PathChoice(path.toStdString())));
        QVERIFY(engine.load(path_, {}, {}));
        double best = 1e9;
        for (int i = 0; i < 10 && best >= most_ms; ++i) {
            engine.forget_conversation();
            const double late = milliseconds_to_stop(engine, prefill);
            if (QTest::currentTestFailed()) return;
            best = std::min(best, late);
        }
        qInfo("stopped %.1f ms after it was asked to", best);
        QVERIFY2(best < most_ms, qPrintable(QString("%1 ms").arg(best)));
    }

  private:
    static constexpr double most_ms = 50;

    static double milliseconds_to_stop(Engine& engine, bool prefill) {
        GenerateRequest request;
        request.raw_prompt = "Once upon a time";
        if (prefill) {
            for (int i = 0; i < 1000; ++i) request.raw_prompt += " there was a list of words";
        }
        std::atomic<bool> begun = false;
        std::atomic<double> stopped_at = 0;
        const Stopwatch clock;
        std::jthread stopper([&] {
            while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            std::this_thread::sleep_for(std::chrono::milliseconds(60));
            stopped_at = clock.seconds();
            engine.cancel();
        });
        begun = prefill;
        const auto result = engine.generate(request, [&](const TokenEvent&) {
            begun = true;
            return true;
        });
        const double late = (clock.seconds() - stopped_at) * 1e3;
        stopper.join();  // it uses what is above
        check_stopped(result, prefill);
        return late;
    }
    static void check_stopped(const Result<GenerateResult>& result, bool prefill) {
        QVERIFY2(result, result ? "" : result.error().message.c_str());
        QCOMPARE(result->stop_reason, StopReason::cancelled);
        QCOMPARE(result->output_ids.empty(), prefill);
    }
};

QTEST_APPLESS_MAIN(TestStopLatency)
#include "tst_stop_latency.moc"
