// SPDX-License-Identifier: GPL-3.0-or-later
// How soon the engine stops, with a model of real size.
#include <QtTest>
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
    void a_stop_is_honoured_soon() {
        QFETCH(QString, path);
        QFETCH(bool, prefill);
        Engine engine;
        QVERIFY(engine.set_path(PathChoice(path.toStdString())));
        QVERIFY(engine.load(path_, {}, {}));
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
        QVERIFY2(result, result ? "" : result.error().message.c_str());
        QCOMPARE(result->stop_reason, StopReason::cancelled);
        QCOMPARE(result->output_ids.empty(), prefill);
        qInfo("stopped %.1f ms after it was asked to (50 ms at most on an idle machine)", late);
        QVERIFY(late < 200);
    }
};

QTEST_APPLESS_MAIN(TestStopLatency)
#include "tst_stop_latency.moc"
