// SPDX-License-Identifier: GPL-3.0-or-later
// The window with a GPU: chosen, changed, too small, lost, or without an answer. On a stand-in that
// fails when it is told to, so that it runs everywhere.
#include <QAction>
#include <QComboBox>
#include <QElapsedTimer>
#include <QPushButton>

#include "core/model/memory_fit.h"
#include "tests/gui/window_fixture.h"
#include "tests/support/failing_device.h"
#include "tests/support/tiny_model.h"
#include "ui/check/path_check.h"
#include "ui/history/history_panel.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;
using Fault = FailingDevice::Fault;

class TestWindowDevice : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void runsOnTheGpuByDefault();
    void deviceIsChosenInTheSettings();
    void withoutAGpuItIsSaid();
    void lostMidAnswer();
    void busyUntilStopped_data();
    void busyUntilStopped();
    void lostWhileLoading();
    void restartsWithTheConversation();
    void restartThatFailsIsSaid();
    void outOfMemoryInAnAnswer();
    void tooLittleMemory_data();
    void tooLittleMemory();

  private:
    QString model() const { return folder_.filePath(QStringLiteral("tiny")); }
    // With the model open, and the background's check of the kernels done.
    MainWindow& open() {
        MainWindow& window = fixture_->open(model());
        settle(window);
        return window;
    }
    static void settle(MainWindow& window) {
        VERIFY_LOADED(window);
        QTRY_VERIFY_WITH_TIMEOUT(window.check()->result().state != CheckedPath::State::unknown &&
                                     window.check()->result().state != CheckedPath::State::checking,
                                 load_ms);
    }
    static QString deviceText(const MainWindow& window) {
        return window.findChild<StatusLine*>()->deviceText();
    }
    // One exchange, complete.
    void answer(MainWindow& window, const char* text) {
        window.chat()->send(QLatin1String(text));
        VERIFY_ANSWERED(window);
        QCOMPARE(fixture_->lastTurn().state, TurnState::complete);
    }

    QTemporaryDir folder_;
    std::unique_ptr<FailingDevice> device_;
    std::unique_ptr<WindowFixture> fixture_;
    QStringList restarted_;
    std::vector<std::unique_ptr<FailingDevice>> given_up_;  // an abandoned thread may still use it
};

void TestWindowDevice::initTestCase() {
    FailingDevice::install_paths();
    QVERIFY(write_tiny_model(byte_recipe(), model().toStdString()));
}

void TestWindowDevice::init() {
    device_ = std::make_unique<FailingDevice>();
    fixture_ = std::make_unique<WindowFixture>();
    fixture_->devices = device_->finder();
    restarted_.clear();
    fixture_->restart = [this](const QStringList& arguments) {
        restarted_ = arguments;
        return true;
    };
}

void TestWindowDevice::cleanup() {
    device_->let_go();
    fixture_.reset();
    given_up_.push_back(std::move(device_));
}

void TestWindowDevice::runsOnTheGpuByDefault() {
    MainWindow& window = open();
    QCOMPARE(deviceText(window), QStringLiteral("Failing GPU"));
    QVERIFY(window.modelInUse().on_gpu);
    const int64_t before = device_->steps();
    answer(window, "Hello");
    QVERIFY(device_->steps() > before);
    QCOMPARE(fixture_->lastTurn().stats.path, QStringLiteral("fused"));
    fixture_->close();
    // For this time only.
    fixture_->device = QStringLiteral("cpu");
    MainWindow& again = open();
    QVERIFY(!again.modelInUse().on_gpu);
    QCOMPARE(again.settings()->values().engine.device, QStringLiteral("auto"));
}

void TestWindowDevice::deviceIsChosenInTheSettings() {
    MainWindow& window = open();
    answer(window, "Hello");
    SettingsDialog* dialog = window.openSettings();
    auto* box = dialog->findChild<QComboBox*>(QStringLiteral("device"));
    QVERIFY(box);
    QCOMPARE(box->count(), 3);
    QCOMPARE(box->itemText(0), QStringLiteral("Automatic"));
    QCOMPARE(box->itemText(1), QStringLiteral("CPU"));
    QCOMPARE(box->itemText(2), QStringLiteral("Failing GPU"));
    box->setCurrentIndex(1);
    Q_EMIT box->activated(1);
    QTRY_VERIFY_WITH_TIMEOUT(!window.modelInUse().on_gpu, load_ms);
    settle(window);
    QCOMPARE(window.chat()->model()->turns(), 2);
    const int64_t before = device_->steps();
    answer(window, "And on the CPU?");
    QCOMPARE(device_->steps(), before);
    QCOMPARE(window.chat()->model()->turns(), 4);
    box->setCurrentIndex(2);
    Q_EMIT box->activated(2);
    QTRY_VERIFY_WITH_TIMEOUT(window.modelInUse().on_gpu, load_ms);
    answer(window, "And back?");
    QVERIFY(device_->steps() > before);
    fixture_->close();
    MainWindow& again = open();
    QCOMPARE(again.settings()->values().engine.device, QStringLiteral("cuda:0"));
    QVERIFY(again.modelInUse().on_gpu);
}

void TestWindowDevice::withoutAGpuItIsSaid() {
    fixture_->devices.gpus = []() -> Result<std::vector<GpuInfo>> {
        return fail(ErrorKind::unsupported, "no usable NVIDIA GPU: the driver is too old");
    };
    MainWindow& window = open();
    QVERIFY(!window.modelInUse().on_gpu);
    QCOMPARE(window.findChild<StatusLine*>()->deviceDetails(),
             QStringLiteral("CPU · no usable NVIDIA GPU: the driver is too old"));
    QVERIFY(window.notice()->summary().isEmpty());
    answer(window, "Hello");
    SettingsDialog* dialog = window.openSettings();
    auto* box = dialog->findChild<QComboBox*>(QStringLiteral("device"));
    QCOMPARE(box->count(), 2);
}

void TestWindowDevice::lostMidAnswer() {
    MainWindow& window = open();
    answer(window, "Hello");
    fixture_->change([](Settings& s) { s.max_tokens = 200; });
    device_->fault_at_step(200, Fault::lost);
    window.chat()->send(QStringLiteral("A long one, please"));
    VERIFY_ANSWERED(window);
    const ChatTurn turn = fixture_->lastTurn();
    QCOMPARE(turn.state, TurnState::failed);
    QVERIFY2(turn.error.contains(QStringLiteral("illegal memory access")), qPrintable(turn.error));
    QVERIFY(!turn.text.isEmpty());  // what had arrived stands
    QVERIFY2(window.notice()->summary().contains(QStringLiteral("goes on by the CPU")),
             qPrintable(window.notice()->summary()));
    settle(window);
    QVERIFY(!window.modelInUse().on_gpu);
    QVERIFY(window.findChild<StatusLine*>()->deviceDetails().contains(QStringLiteral("illegal")));
    QCOMPARE(window.chat()->model()->turns(), 4);
    fixture_->change([](Settings& s) { s.max_tokens = 8; });
    answer(window, "Still there?");
    // The settings still say automatic: that is what the next start goes by.
    QCOMPARE(window.settings()->values().engine.device, QStringLiteral("auto"));
    auto* button = labelled<QPushButton>(&window, QStringLiteral("Restart Lockstep"));
    QVERIFY(button);
    QElapsedTimer clock;
    clock.start();
    button->click();
    QVERIFY(clock.elapsed() < 1000);
    QCOMPARE(restarted_,
             QStringList({QFileInfo(model()).absoluteFilePath(), QStringLiteral("--conversation"),
                          QString::number(window.history()->current())}));
}

void TestWindowDevice::busyUntilStopped_data() {
    QTest::addColumn<int>("fault");
    QTest::newRow("waiting for it") << int(Fault::busy_queue);
    QTest::newRow("stuck in a call") << int(Fault::busy_step);
}

void TestWindowDevice::busyUntilStopped() {
    QFETCH(int, fault);
    MainWindow& window = open();
    answer(window, "Hello");
    fixture_->change([](Settings& s) { s.max_tokens = 0; });
    device_->fault_at_step(100, Fault(fault));
    window.chat()->send(QStringLiteral("A long one, please"));
    QTest::qWait(300);
    QVERIFY(window.chat()->isAnswering());
    QElapsedTimer clock;
    clock.start();
    window.findChild<QAction*>(QStringLiteral("stop"))->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(!window.chat()->isAnswering(), answer_ms);
    qInfo("given back after %lld ms", clock.elapsed());
    QVERIFY(clock.elapsed() < 1000);
    QCOMPARE(fixture_->lastTurn().state, TurnState::failed);
    QVERIFY2(window.notice()->summary().contains(QStringLiteral("does not answer")),
             qPrintable(window.notice()->summary()));
    QVERIFY(labelled<QPushButton>(&window, QStringLiteral("Restart Lockstep")));
    settle(window);
    QVERIFY(!window.modelInUse().on_gpu);
    QCOMPARE(window.chat()->model()->turns(), 4);
    fixture_->change([](Settings& s) { s.max_tokens = 8; });
    answer(window, "Still there?");
    // Such a process is not to be torn down in an orderly way.
    device_->let_go();
    QVERIFY(!window.shutDown());
}

void TestWindowDevice::lostWhileLoading() {
    device_->give_up({ErrorKind::device_lost, "it fell off the bus"});
    fixture_->device = QStringLiteral("cuda:0");
    MainWindow& window = open();
    QVERIFY(!window.modelInUse().on_gpu);
    QVERIFY(window.notice()->summary().contains(QStringLiteral("has failed")));
    answer(window, "Hello");
}

void TestWindowDevice::restartsWithTheConversation() {
    QVector<ChatTurn> said;
    {
        MainWindow& window = open();
        answer(window, "Hello");
        window.chat()->newChat();
        answer(window, "Another one");
        device_->fault_at_step(3, Fault::lost);
        window.chat()->send(QStringLiteral("And this fails"));
        VERIFY_ANSWERED(window);
        for (int row = 0; row < window.chat()->model()->turns(); ++row)
            said.append(window.chat()->model()->turn(row));
        window.findChild<QAction*>(QStringLiteral("restart"))->trigger();
        QCOMPARE(restarted_.size(), 3);
        window.chat()->newChat();  // what this window does now is no matter
        fixture_->close();
    }
    // As the new process reads its arguments.
    fixture_->conversation = restarted_[2].toLongLong();
    FailingDevice fresh;
    fixture_->devices = fresh.finder();
    MainWindow& window = fixture_->open(restarted_[0]);
    VERIFY_LOADED(window);
    QVERIFY(window.modelInUse().on_gpu);
    QCOMPARE(window.chat()->model()->turns(), said.size());
    for (int row = 0; row < said.size(); ++row)
        QCOMPARE(window.chat()->model()->turn(row).text, said[row].text);
    fixture_->close();
}

void TestWindowDevice::restartThatFailsIsSaid() {
    fixture_->restart = [](const QStringList&) { return false; };
    MainWindow& window = open();
    window.findChild<QAction*>(QStringLiteral("restart"))->trigger();
    QVERIFY(window.notice()->summary().contains(QStringLiteral("could not be started again")));
}

void TestWindowDevice::outOfMemoryInAnAnswer() {
    MainWindow& window = open();
    answer(window, "Hello");
    fixture_->change([](Settings& s) { s.truth = true; });  // allocates in mid-conversation
    device_->fail_allocation(1);
    window.chat()->send(QStringLiteral("And this?"));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture_->lastTurn().state, TurnState::failed);
    QVERIFY2(fixture_->lastTurn().error.contains(QStringLiteral("shorter prompt")),
             qPrintable(fixture_->lastTurn().error));
    QCOMPARE(window.chat()->model()->turns(), 4);
    QVERIFY(window.modelInUse().on_gpu);
    answer(window, "And now?");
}

void TestWindowDevice::tooLittleMemory_data() {
    QTest::addColumn<QString>("choice");
    QTest::newRow("context") << QStringLiteral("Use 256 tokens of context");
    QTest::newRow("dtype") << QStringLiteral("Use bf16");
    QTest::newRow("cpu") << QStringLiteral("Use the CPU");
}

void TestWindowDevice::tooLittleMemory() {
    QFETCH(QString, choice);
    // One byte less than f32 weights with 512 tokens take.
    LoadOptions load;
    load.device = device_.get();
    load.dtype = DType::f32;
    load.context = 512;
    const auto needed = estimate_memory(model().toStdString(), load);
    QVERIFY(needed);
    device_->set_free_memory(size_t(needed->total()) - 1);
    SettingsStore store(fixture_->settingsFile());
    Settings settings = store.values();
    settings.engine.dtype = DType::f32;
    store.set(settings);
    store.sync();
    MainWindow& window = fixture_->open(model());
    QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
    QVERIFY2(window.notice()->details().contains(QStringLiteral("are free on Failing GPU")),
             qPrintable(window.notice()->details()));
    auto* button = labelled<QPushButton>(&window, choice);
    QVERIFY(button);
    button->click();
    settle(window);
    const Settings& now = window.settings()->values();
    QCOMPARE(now.engine.context == 256, choice.contains(QStringLiteral("context")));
    QCOMPARE(now.engine.dtype == DType::bf16, choice.contains(QStringLiteral("bf16")));
    QCOMPARE(now.engine.device == QStringLiteral("cpu"), choice.contains(QStringLiteral("CPU")));
    QCOMPARE(window.modelInUse().on_gpu, !choice.contains(QStringLiteral("CPU")));
    answer(window, "Hello");
}

QTEST_MAIN(TestWindowDevice)
#include "tst_window_device.moc"
