// SPDX-License-Identifier: GPL-3.0-or-later
// The real window with the default model on the GPU: it is the default, a long life keeps the GUI
// thread free, and a kernel that does not end is stopped, told and left behind by a restart.
#include <QAction>
#include <QApplication>
#include <QElapsedTimer>
#include <QProcess>
#include <QToolButton>

#include "kernels/gpu_info.h"
#include "tests/gpu/faulty_kernels.h"
#include "tests/gui/chat/sample_chat.h"
#include "tests/gui/gui_watchdog.h"
#include "tests/gui/window_fixture.h"
#include "ui/check/path_check.h"
#include "ui/engine_thread.h"
#include "ui/history/conversation_store.h"
#include "ui/history/history_panel.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// Makes the test itself one that only opens a window as a restart would, and says when it is ready.
constexpr const char* restarted_settings = "LOCKSTEP_TEST_RESTARTED";

// No stall over 16 ms; of the thousands of gaps, one may be what the machine did.
bool staysNear(const GuiWatchdog& watchdog) {
    return watchdog.wall(0.999) <= GuiWatchdog::limit_ms && watchdog.over() <= 1;
}

}  // namespace

class TestGpuWindow : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase() {
        const Result<Device*> device = cuda_device(0);
        if (!device) QSKIP(device.error().message.c_str());
        gpu_ = *device;
        model_ = defaultModel();
        if (model_.isEmpty()) QSKIP("the default model is not here: ./lockstep test fetches it");
    }

    void chats_on_the_gpu_by_default() {
        WindowFixture fixture;
        MainWindow& window = fixture.open(model_);
        VERIFY_LOADED(window);
        QVERIFY(window.modelInUse().on_gpu);
        type(window, QStringLiteral("What is the capital of France?"));
        VERIFY_ANSWERED(window);
        QVERIFY2(fixture.lastText().contains(QStringLiteral("Paris")),
                 qPrintable(fixture.lastText()));
        QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("fused"));
        QTRY_VERIFY_WITH_TIMEOUT(window.check()->result().state != CheckedPath::State::checking,
                                 load_ms);
        qInfo("%s | %s | %.0f tok/s", qPrintable(window.findChild<StatusLine*>()->deviceText()),
              qPrintable(window.check()->summary()), fixture.lastTurn().stats.tokensPerSecond);
        const QString folder = qEnvironmentVariable("LOCKSTEP_TEST_PICTURES");
        QTest::qWait(200);
        if (!folder.isEmpty()) QVERIFY(window.grab().save(folder + QStringLiteral("/gpu.png")));
    }

    // 100 answers stopped and asked for again in a chat with a history, 50 toggles mid-answer, the
    // model loaded again 20 times. As bench_window, which says more of what takes the time.
    void a_long_life_keeps_the_gui_thread_free() {
        WindowFixture fixture;
        fixture.conversation = ConversationStore(fixture.path("conversations.sqlite"))
                                   .save(0, {{}, {}, samples::longChat(12)});
        MainWindow& window = fixture.open(model_);
        VERIFY_LOADED(window);
        QTRY_VERIFY_WITH_TIMEOUT(window.check()->result().state != CheckedPath::State::checking,
                                 load_ms);
        fixture.change([](Settings& s) { s.max_tokens = 0; });
        QAction* const stop = window.findChild<QAction*>(QStringLiteral("stop"));
        QAction* const fused = window.findChild<QAction*>(QStringLiteral("fused"));
        window.chat()->send(QStringLiteral("Tell me a very long story about a ship."));
        QTRY_VERIFY(!fixture.lastText().isEmpty());
        QVERIFY(window.chat()->model()->turns() > 12);
        // What the reference sets up at its first use (cuBLAS) stays.
        for (int i = 0; i < 4; ++i) {
            fused->trigger();
            QTest::qWait(200);
        }
        stop->trigger();
        VERIFY_ANSWERED(window);
        const size_t free = gpu_->free_memory();
        const auto answered = [&] { return !window.chat()->isAnswering(); };
        auto* again = named<QToolButton>(window.chat(), QStringLiteral("Answer again"));
        QVERIFY(again);
        GuiWatchdog watchdog;
        watchdog.start();
        for (int i = 0; i < 100; ++i) {
            again->click();
            pause(30);
            stop->trigger();
            QVERIFY(waitUntil(answered));
        }
        watchdog.print("stop and answer again", 3);
        QVERIFY(staysNear(watchdog));
        watchdog.start();
        window.chat()->send(QStringLiteral("And another long one, please."));
        for (int i = 0; i < 50; ++i) {
            pause(10);
            fused->trigger();
        }
        stop->trigger();
        QVERIFY(waitUntil(answered));
        watchdog.print("toggles mid-answer", 3);
        qInfo("%s", qPrintable(fixture.lastTurn().stats.path.left(80)));
        QVERIFY(staysNear(watchdog));
        watchdog.start();
        for (int i = 0; i < 20; ++i) {
            window.openModel(model_);
            QVERIFY(waitUntil([&] { return !window.isLoading(); }));
        }
        watchdog.print("model loaded again", 3);
        QVERIFY(staysNear(watchdog));
        QVERIFY(gpu_->free_memory() + (size_t{64} << 20) >= free);
    }

    // The last one: this process has no CUDA after it.
    void an_endless_kernel_is_stopped_and_left_behind() {
        WindowFixture fixture;
        QStringList arguments;
        fixture.restart = [&](const QStringList& given) {
            arguments = given;
            return true;
        };
        MainWindow& window = fixture.open(model_);
        VERIFY_LOADED(window);
        QTRY_VERIFY_WITH_TIMEOUT(window.check()->result().state != CheckedPath::State::checking,
                                 load_ms);
        type(window, QStringLiteral("What is the capital of France?"));
        VERIFY_ANSWERED(window);
        fixture.change([](Settings& s) { s.max_tokens = 0; });
        QVERIFY(window.engine()->setPath(PathChoice(faulty_path(FaultyKernel::endless, 300))));
        type(window, QStringLiteral("Tell me a very long story about a ship."));
        QTest::qWait(1500);
        QVERIFY(window.chat()->isAnswering());
        QElapsedTimer clock;
        clock.start();
        window.findChild<QAction*>(QStringLiteral("stop"))->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!window.chat()->isAnswering(), answer_ms);
        qInfo("given back %lld ms after the stop: %s", clock.elapsed(),
              qPrintable(window.notice()->summary()));
        QVERIFY(clock.elapsed() < 1000);
        VERIFY_LOADED(window);
        QVERIFY(!window.modelInUse().on_gpu);
        fixture.change([](Settings& s) { s.max_tokens = 12; });
        type(window, QStringLiteral("Still there?"));
        VERIFY_ANSWERED(window);
        QCOMPARE(fixture.lastTurn().state, TurnState::complete);
        window.findChild<QAction*>(QStringLiteral("restart"))->trigger();
        QCOMPARE(arguments.size(), 3);

        // The new process, while this one still has the endless kernel.
        QProcess again;
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert(QLatin1String(restarted_settings), fixture.path("."));
        again.setProcessEnvironment(environment);
        again.setProcessChannelMode(QProcess::MergedChannels);
        clock.start();
        again.start(QCoreApplication::applicationFilePath(), arguments);
        const bool ended = again.waitForFinished(60000);
        qInfo("restarted, model on the GPU and conversation there, after %lld ms: %s",
              clock.elapsed(), again.readAll().trimmed().constData());
        QVERIFY(ended);
        QCOMPARE(again.exitCode(), 0);
        QVERIFY(clock.elapsed() < 5000);
        QVERIFY(!window.shutDown());
    }

  private:
    Device* gpu_ = nullptr;
    QString model_;
};

// As app/window.cpp, to the moment where the model is loaded and the conversation shown.
static int openAsRestarted(const QString& folder, const QStringList& arguments) {
    WindowOptions options;
    options.settings_file = folder + QStringLiteral("/settings.ini");
    options.conversations_file = folder + QStringLiteral("/conversations.sqlite");
    options.model = arguments.value(1);
    options.conversation = arguments.value(3).toLongLong();
    MainWindow window(options);
    window.show();
    QElapsedTimer clock;
    clock.start();
    while (window.isLoading() && clock.elapsed() < 30000) QTest::qWait(5);
    std::printf("%s, %d turns\n", qPrintable(window.modelInUse().device),
                window.chat()->model()->turns());
    std::fflush(stdout);
    const bool fine = window.modelInUse().on_gpu && window.chat()->model()->turns() == 6;
    std::_Exit(fine ? 0 : 1);
}

int main(int argc, char** argv) {
    WatchedApplication application(argc, argv);
    const QString restarted = qEnvironmentVariable(restarted_settings);
    if (!restarted.isEmpty()) return openAsRestarted(restarted, QCoreApplication::arguments());
    TestGpuWindow test;
    const int status = QTest::qExec(&test, argc, argv);
    std::fflush(nullptr);
    std::_Exit(status);  // an endless kernel may be left
}
#include "tst_gpu_window.moc"
