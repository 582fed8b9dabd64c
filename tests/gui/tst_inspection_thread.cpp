// SPDX-License-Identifier: GPL-3.0-or-later
// Two paths are compared on a thread of their own: what comes back, what a cancel does, and who
// keeps a model alive.
#include <QElapsedTimer>
#include <QEventLoop>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

#include "core/model/model_loader.h"
#include "tests/support/models.h"
#include "tests/support/tiny_model.h"
#include "ui/inspector/inspection_thread.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int run_ms = 120000;  // under a sanitizer

std::vector<int32_t> tokens(int count) {
    std::vector<int32_t> ids;
    for (int i = 0; i < count; ++i) ids.push_back(32 + (i * 37) % 90);
    return ids;
}

struct Ends {
    explicit Ends(InspectionThread& thread)
        : finished(&thread, &InspectionThread::finished),
          failed(&thread, &InspectionThread::failed),
          cancelled(&thread, &InspectionThread::cancelled) {}
    qsizetype count() const { return finished.size() + failed.size() + cancelled.size(); }
    FinishedInspection result(int at = 0) const {
        return finished.at(at).first().value<FinishedInspection>();
    }
    QString message() const { return failed.at(0).first().value<FailedInspection>().message; }

    QSignalSpy finished, failed, cancelled;
};

}  // namespace

class TestInspectionThread : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void comparesWhatItIsGiven();
    void opensAStepAgain();
    void tellsProgressInOrder();
    void sayWhatIsWrong_data();
    void sayWhatIsWrong();
    void cancelsAtOnce();
    void cancelsALongPromptOfARealModel();
    void cancelReachesWhatWaits();
    void givesWay();
    void modelLivesUntilTheEnd();
    void endsInTheMiddle();

  private:
    InspectionRequest request(std::vector<InspectionPrompt> prompts) const {
        InspectionRequest wanted;
        wanted.model = model_;
        for (InspectionPrompt& prompt : prompts) wanted.prompts.push_back(std::move(prompt));
        return wanted;
    }
    // Takes seconds: truth is slow, and there are many rows.
    InspectionRequest longRequest() const {
        return request(std::vector<InspectionPrompt>(40, InspectionPrompt(tokens(200))));
    }

    QTemporaryDir folder_;
    std::shared_ptr<const Model> model_;
};

void TestInspectionThread::initTestCase() {
    const std::filesystem::path path = folder_.filePath("tiny").toStdString();
    QVERIFY(write_tiny_model(byte_recipe(), path));
    const auto loaded = load_model(path, {});
    QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
    model_ = *loaded;
}

void TestInspectionThread::comparesWhatItIsGiven() {
    InspectionThread thread;
    Ends ends(thread);
    const QVector<ChatEntry> conversation{{QStringLiteral("user"), QStringLiteral("Hi")}};
    InspectionRequest wanted = request({QStringLiteral("Hello"), conversation, tokens(17)});
    wanted.decode_steps = 2;
    QVERIFY(thread.inspect(wanted) > 0);
    QVERIFY(thread.isBusy());
    QTRY_COMPARE_WITH_TIMEOUT(ends.count(), 1, run_ms);
    QVERIFY2(ends.failed.isEmpty(), qPrintable(ends.failed.isEmpty() ? QString() : ends.message()));
    QVERIFY(!thread.isBusy());
    const FinishedInspection result = ends.result();
    const Comparison& comparison = result.inspection->comparison;
    QVERIFY(!comparison.diverged());
    QCOMPARE(comparison.candidate, std::string("fused"));
    QCOMPARE(comparison.prompts.size(), size_t(3));
    QCOMPARE(comparison.prompts[0].size(), size_t(5));  // one token a byte
    QCOMPARE(comparison.prompts[2], tokens(17));
    QCOMPARE(result.texts[0], std::string("Hello"));
    QVERIFY2(result.texts[1].starts_with("<|im_start|>user\nHi<|im_end|>"),
             result.texts[1].c_str());
    QCOMPARE(comparison.passes.size(), size_t(3 * (1 + 2)));
    QCOMPARE(comparison.passes[0].layers.size(), size_t(model_->config.num_hidden_layers + 2));
    QCOMPARE(result.request.decode_steps, 2);
}

void TestInspectionThread::opensAStepAgain() {
    InspectionThread thread;
    QSignalSpy reopened(&thread, &InspectionThread::reopened);
    QSignalSpy failed(&thread, &InspectionThread::failed);
    InspectionRequest wanted = request({QStringLiteral("Hello")});
    wanted.decode_steps = 1;
    Divergence where;
    where.pass = 1;
    where.layer = 1;
    where.step = StepId::gate_up;
    where.position = 5;
    thread.reopen(wanted, where);
    where.layer = 99;
    thread.reopen(wanted, where);
    QTRY_COMPARE_WITH_TIMEOUT(reopened.size() + failed.size(), 2, run_ms);
    QCOMPARE(failed.size(), 1);
    const auto step = reopened.first().first().value<ReopenedStep>().step;
    const auto& args = std::get<GateUpArgs>(step->runs.candidate.args);
    QCOMPARE(args.context.layer, 1);
    QCOMPARE(args.mlp.shape[0], int64_t(1));
    QVERIFY(!thread.isBusy());
}

void TestInspectionThread::tellsProgressInOrder() {
    InspectionThread thread;
    Ends ends(thread);
    QSignalSpy progress(&thread, &InspectionThread::progressed);
    const InspectionId first = thread.inspect(request({tokens(130)}));
    const InspectionId second = thread.inspect(request({tokens(3)}));
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 2, run_ms);
    QCOMPARE(ends.result(0).id, first);
    QCOMPARE(ends.result(1).id, second);
    QVERIFY(!progress.isEmpty());
    for (const QList<QVariant>& told : progress) {
        const auto at = told.first().value<InspectionProgress>();
        QVERIFY(at.id == first || at.id == second);
        QVERIFY(at.fraction >= 0 && at.fraction <= 1);
        QVERIFY(at.what.contains(QStringLiteral("layer")));
    }
}

void TestInspectionThread::sayWhatIsWrong_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<QString>("message");
    QTest::newRow("candidate") << "candidate"
                               << "fusedd";
    QTest::newRow("reference") << "reference"
                               << "there is no path named \"cublas\"";
    QTest::newRow("no prompt") << "none"
                               << "no prompt";
    QTest::newRow("an empty prompt") << "empty"
                                     << "no tokens";
    QTest::newRow("a token too high") << "token"
                                      << "token 1000000 is not one of the model's";
    QTest::newRow("a prompt too long") << "long"
                                       << "context";
    QTest::newRow("a model that is gone") << "gone"
                                          << "not open any more";
}

void TestInspectionThread::sayWhatIsWrong() {
    QFETCH(QString, what);
    QFETCH(QString, message);
    InspectionRequest wanted = request({tokens(4)});
    if (what == "candidate") wanted.candidate.text = "fusedd";
    if (what == "reference") wanted.reference = "cublas";
    if (what == "none") wanted.prompts.clear();
    if (what == "empty") wanted.prompts = {QString()};
    if (what == "token") wanted.prompts = {std::vector<int32_t>{1, 1000000}};
    if (what == "long") wanted.prompts = {tokens(int(model_->config.max_position_embeddings) + 1)};
    if (what == "gone") wanted.model = std::shared_ptr<const Model>();
    InspectionThread thread;
    Ends ends(thread);
    thread.inspect(wanted);
    QTRY_COMPARE_WITH_TIMEOUT(ends.count(), 1, run_ms);
    QCOMPARE(ends.failed.size(), 1);
    QVERIFY2(ends.message().contains(message), qPrintable(ends.message()));
    // The next one is none the worse.
    thread.inspect(request({tokens(4)}));
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 1, run_ms);
}

void TestInspectionThread::cancelsAtOnce() {
    InspectionThread thread;
    Ends ends(thread);
    QSignalSpy progress(&thread, &InspectionThread::progressed);
    thread.inspect(longRequest());
    QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), run_ms);
    QElapsedTimer clock;
    clock.start();
    thread.cancel();
    QVERIFY2(clock.elapsed() < 20, "cancel() waited");
    QTRY_COMPARE_WITH_TIMEOUT(ends.count(), 1, run_ms);
    qInfo("cancelled after %lld ms", clock.elapsed());
    QCOMPARE(ends.cancelled.size(), 1);
    QVERIFY(!thread.isBusy());
    thread.cancel();  // nothing to cancel: the next one runs
    thread.inspect(request({tokens(4)}));
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 1, run_ms);
}

// Wherever the run is: its steps on 300 rows, truth's above all, take much longer than a cancel
// may.
void TestInspectionThread::cancelsALongPromptOfARealModel() {
    LOCKSTEP_NEED_MODEL(path, default_model());
    const auto loaded = load_model(path, {});
    QVERIFY(loaded);
    InspectionRequest wanted = request({SamplePrompt{300}});
    wanted.model = *loaded;
    qint64 worst = 0;
    for (const int wait_ms : {50, 150, 300, 600, 1000, 1500, 2500}) {
        InspectionThread thread;
        Ends ends(thread);
        QEventLoop loop;
        connect(&thread, &InspectionThread::cancelled, &loop, &QEventLoop::quit);
        thread.inspect(wanted);
        QTest::qWait(wait_ms);
        QElapsedTimer clock;
        clock.start();
        thread.cancel();
        QTimer::singleShot(run_ms, &loop, &QEventLoop::quit);
        loop.exec();
        worst = std::max(worst, clock.elapsed());
        QCOMPARE(ends.cancelled.size(), 1);
    }
    qInfo("cancelled after %lld ms at most", worst);
    QVERIFY2(worst < 1000, qPrintable(QString::number(worst)));  // 50 where nothing else runs
}

void TestInspectionThread::cancelReachesWhatWaits() {
    InspectionThread thread;
    Ends ends(thread);
    for (int i = 0; i < 3; ++i) thread.inspect(longRequest());
    thread.cancel();
    const InspectionId after = thread.inspect(request({tokens(4)}));
    QTRY_COMPARE_WITH_TIMEOUT(ends.count(), 4, run_ms);
    QCOMPARE(ends.cancelled.size(), 3);
    QCOMPARE(ends.result().id, after);
}

void TestInspectionThread::givesWay() {
    InspectionThread thread;
    Ends ends(thread);
    InspectionRequest polite = request({tokens(4)});
    polite.gives_way = true;
    thread.setGivingWay(true);
    thread.inspect(polite);
    QTest::qWait(300);
    QCOMPARE(ends.count(), 0);
    thread.setGivingWay(false);
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 1, run_ms);
    // A cancel does not wait for its turn.
    thread.setGivingWay(true);
    thread.inspect(polite);
    QTest::qWait(50);
    thread.cancel();
    QTRY_COMPARE_WITH_TIMEOUT(ends.cancelled.size(), 1, run_ms);
    // Nor does what was asked for by hand.
    thread.inspect(request({tokens(4)}));
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 2, run_ms);
}

void TestInspectionThread::modelLivesUntilTheEnd() {
    const std::filesystem::path path = folder_.filePath("tiny").toStdString();
    auto loaded = load_model(path, {});
    QVERIFY(loaded);
    std::shared_ptr<const Model> model = std::move(*loaded);
    const std::weak_ptr<const Model> watched = model;
    InspectionThread thread;
    Ends ends(thread);
    InspectionRequest wanted = request({tokens(100), tokens(100)});
    wanted.model = model;
    thread.inspect(wanted);
    thread.inspect(wanted);
    model.reset();  // closed, or replaced by another
    QTRY_COMPARE_WITH_TIMEOUT(ends.finished.size(), 2, run_ms);
    // And no longer: neither the thread nor the results hold it.
    QTRY_VERIFY(watched.expired());
}

void TestInspectionThread::endsInTheMiddle() {
    for (const int wait_ms : {0, 1, 20, 200}) {
        InspectionThread thread;
        thread.inspect(longRequest());
        if (wait_ms > 0) QTest::qWait(wait_ms);
        QElapsedTimer clock;
        clock.start();
        QVERIFY(thread.shutDown());
        qInfo("ended within %lld ms", clock.elapsed());
        QCOMPARE(thread.inspect(request({tokens(4)})), InspectionId(0));
    }
}

QTEST_GUILESS_MAIN(TestInspectionThread)
#include "tst_inspection_thread.moc"
