// SPDX-License-Identifier: GPL-3.0-or-later
// What the panel compares besides our own paths, chosen as people choose it: kernels of one's own
// and traces, right and wrong ones; and the input that tells two causes apart.
#include <QComboBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>

#include "core/inspect/trace_writer.h"
#include "core/model/model_loader.h"
#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/check/path_check.h"
#include "ui/inspector/diagnosis_card.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/result_line.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/inspector/tap_table_model.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int run_ms = 300000;  // under a sanitizer

QString kernelFile(const char* name) {
    return QStringLiteral(LOCKSTEP_KERNELS_FOLDER "/%1.so").arg(QLatin1String(name));
}

}  // namespace

#define VERIFY_RAN(panel) QTRY_VERIFY_WITH_TIMEOUT(!(panel)->bar()->isRunning(), run_ms)
#define VERIFY_SAYS(panel, words)                                      \
    QVERIFY2((panel)->result()->text().contains(QLatin1String(words)), \
             qPrintable((panel)->result()->text()))

class TestInspectorCandidates : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void aRightKernelMatches();
    void aWrongKernelIsNamed();
    void aCrashingKernelIsToldWithItsPlace();
    void aRightTraceMatches();
    void aWrongTraceIsNamed();
    void aTraceOfAnotherModelIsRefused();
    void theSeparatingInputTellsTwoCausesApart();
    void aTraceIsNotRunOnAnotherInput();

  private:
    InspectorPanel* openPanel(WindowFixture& fixture);
    // Through the menu and the file dialog that it opens.
    void chooseCandidate(InspectorPanel* panel, const char* entry, const QString& file);
    // Of fused, with a fault where one is given.
    QString traceFile(const std::optional<FaultSpec>& fault, const char* prompt = "Hello");
    void run(InspectorPanel* panel);

    QTemporaryDir folder_;
    QString model_;
};

void TestInspectorCandidates::initTestCase() {
    TinyRecipe recipe = byte_recipe();
    recipe.config.num_key_value_heads = 3;  // of one alone a cache has no order to mistake
    model_ = folder_.filePath(QStringLiteral("tiny"));
    QVERIFY(write_tiny_model(recipe, model_.toStdString()));
}

InspectorPanel* TestInspectorCandidates::openPanel(WindowFixture& fixture) {
    fixture.isolation.program = LOCKSTEP_KERNEL_CHILD;
    MainWindow& window = fixture.open(model_);
    window.resize(1360, 860);
    (void)QTest::qWaitFor([&] { return !window.isLoading(); }, load_ms);
    window.inspector()->show();
    return window.inspector()->panel();
}

void TestInspectorCandidates::chooseCandidate(InspectorPanel* panel, const char* entry,
                                              const QString& file) {
    auto* button = named<QToolButton>(panel, QStringLiteral("Another candidate"));
    QVERIFY(button);
    const QList<QAction*> entries = button->menu()->actions();
    const auto wanted = std::find_if(entries.begin(), entries.end(), [&](QAction* action) {
        return action->text().remove(QLatin1Char('&')) == QString::fromUtf8(entry);
    });
    QVERIFY2(wanted != entries.end(), entry);
    bool chosen = false;
    QTimer answer;
    answer.setInterval(50);
    connect(&answer, &QTimer::timeout, this, [&] {
        auto* dialog = qobject_cast<QFileDialog*>(QApplication::activeModalWidget());
        auto* name = dialog ? dialog->findChild<QLineEdit*>() : nullptr;
        if (!name) return;
        answer.stop();
        name->setText(file);
        chosen = true;
        QTest::keyClick(name, Qt::Key_Return);
    });
    answer.start();
    (*wanted)->trigger();
    QVERIFY(chosen);
}

void TestInspectorCandidates::run(InspectorPanel* panel) {
    QTest::mouseClick(panel->bar()->runButton(), Qt::LeftButton);
    QVERIFY(panel->bar()->isRunning());
    VERIFY_RAN(panel);
}

QString TestInspectorCandidates::traceFile(const std::optional<FaultSpec>& fault,
                                           const char* prompt) {
    const QString file = folder_.filePath(QStringLiteral("captured.safetensors"));
    TraceRequest request;
    const auto loaded = load_model(model_.toStdString(), {});
    if (!loaded) qFatal("%s", loaded.error().message.c_str());
    request.model = *loaded;
    request.threads = 1;
    request.prompt = request.model->tokenizer->encode(prompt, {});
    request.decode_steps = 1;
    request.path = *find_kernel_path(DeviceKind::cpu, "fused");
    if (fault) request.path = *plant_fault(request.path, *fault, request.model);
    const auto written = write_trace(request, file.toStdString());
    if (!written) qFatal("%s", written.error().message.c_str());
    return file;
}

void TestInspectorCandidates::aRightKernelMatches() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    auto* window = qobject_cast<MainWindow*>(panel->window());
    chooseCandidate(panel, "Load kernel…", kernelFile("window-plain"));
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::match);
    VERIFY_SAYS(panel, "window-plain.so matches reference in every step.");
    // The same kernel is checked for the chat, and offered to it, as after File, Load a kernel.
    QTRY_VERIFY_WITH_TIMEOUT(!window->notice()->summary().isEmpty(), run_ms);
    QCOMPARE(window->notice()->summary(),
             QStringLiteral("window-plain.so computes what the reference does."));
    auto* use = labelled<QPushButton>(window->notice(), QStringLiteral("Use it in the chat"));
    QVERIFY(use);
    use->click();
    QCOMPARE(window->findChild<StatusLine*>()->pathText(), QStringLiteral("window-plain.so"));
    window->chat()->send(QStringLiteral("Hello"));
    VERIFY_ANSWERED(*window);
    QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("window-plain.so"));
}

void TestInspectorCandidates::aWrongKernelIsNamed() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    auto* window = qobject_cast<MainWindow*>(panel->window());
    chooseCandidate(panel, "Load kernel…", kernelFile("window-wrong_layout"));
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    VERIFY_SAYS(panel, "window-wrong_layout.so parts from reference in layer 0, attention: attn");
    VERIFY_SAYS(panel, "Its input is identical");
    VERIFY_SAYS(panel, "Cause: the caches' memory is read as [G, C, D] instead of [C, G, D]");
    const DrillDownView* drill_down = panel->drillDown();
    QTRY_VERIFY_WITH_TIMEOUT(drill_down->detail()->detail(), run_ms);
    QCOMPARE(drill_down->detail()->detail()->tensor, std::string("attn"));
    // The chat is not offered what it must not use.
    QTRY_VERIFY_WITH_TIMEOUT(!window->notice()->summary().isEmpty(), run_ms);
    QVERIFY(window->notice()->summary().startsWith(
        QLatin1String("window-wrong_layout.so parts from the reference")));
    QVERIFY(!labelled<QPushButton>(window->notice(), QStringLiteral("Use it in the chat")));
}

void TestInspectorCandidates::aCrashingKernelIsToldWithItsPlace() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    chooseCandidate(panel, "Load kernel…", kernelFile("window-null"));
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::failed);
    for (const char* words :
         {"window-null.so", "attn_output of layer 0", "on attn bf16[", "crashed"})
        VERIFY_SAYS(panel, words);
}

void TestInspectorCandidates::aRightTraceMatches() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    chooseCandidate(panel, "Open a trace…", traceFile({}));
    run(panel);
    VERIFY_SAYS(panel, "captured.safetensors matches reference");
    QCOMPARE(panel->result()->state(), ResultLine::State::match);
    QCOMPARE(panel->shown()->comparison().passes.size(),
             size_t{2});  // the trace's decode step, too
}

void TestInspectorCandidates::aWrongTraceIsNamed() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    chooseCandidate(panel, "Open a trace…", traceFile(FaultSpec{"k_output_scaled", 1}));
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    VERIFY_SAYS(panel, "captured.safetensors parts from reference in layer 1, qkv: k is off by");
    const DrillDownView* drill_down = panel->drillDown();
    QTRY_VERIFY_WITH_TIMEOUT(drill_down->detail()->detail(), run_ms);
    QCOMPARE(drill_down->detail()->detail()->tensor, std::string("k"));
    // Another of its steps is opened from the file.
    panel->plot()->plot()->select(1);
    QTRY_VERIFY_WITH_TIMEOUT(drill_down->detail()->detail(), run_ms);
    QVERIFY(drill_down->heading().startsWith(QLatin1String("layer 0")));
}

void TestInspectorCandidates::aTraceOfAnotherModelIsRefused() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    const QString file = traceFile({});
    const QString other = folder_.filePath(QStringLiteral("other"));
    TinyRecipe recipe = byte_recipe();
    recipe.config.num_hidden_layers += 1;
    QVERIFY(write_tiny_model(recipe, other.toStdString()));
    auto* window = qobject_cast<MainWindow*>(panel->window());
    window->openModel(other);
    VERIFY_LOADED(*window);
    chooseCandidate(panel, "Open a trace…", file);
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::failed);
    VERIFY_SAYS(panel, "captured.safetensors");
}

void TestInspectorCandidates::theSeparatingInputTellsTwoCausesApart() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    // Of one row, "the cache's row was not written" and "it was written one row on" are the same.
    panel->bar()->plant({"cache_position_off_by_one", 0});
    auto* prompt = named<QComboBox>(panel, QStringLiteral("Prompt"));
    prompt->setCurrentText(QStringLiteral("A text"));
    named<QLineEdit>(panel, QStringLiteral("Prompt text"))->setText(QStringLiteral("a"));
    run(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    VERIFY_SAYS(panel, "Cause, one of:");
    VERIFY_SAYS(panel, "To tell them apart: a prompt of 21 tokens.");
    QVERIFY2(panel->diagnosis()->title().contains(QLatin1String(" or ")),
             qPrintable(panel->diagnosis()->title()));
    panel->tabs()->setCurrent(InspectorPanel::cause_tab);
    auto* separate = labelled<QPushButton>(panel, QStringLiteral("Run the separating input"));
    QVERIFY(separate && separate->isEnabled());
    QTest::mouseClick(separate, Qt::LeftButton);
    QVERIFY(panel->bar()->isRunning());
    VERIFY_RAN(panel);
    QCOMPARE(panel->shown()->number, 2);
    QCOMPARE(panel->shown()->comparison().prompts.front().size(), size_t{21});
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    QCOMPARE(panel->diagnosis()->title(), QStringLiteral("Cause: cache_position_off_by_one"));
    VERIFY_SAYS(panel, "Cause: ");
    QVERIFY(!panel->result()->text().contains(QLatin1String("one of")));
    QVERIFY(!separate->isVisible());
}

void TestInspectorCandidates::aTraceIsNotRunOnAnotherInput() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    // Two ways to write nothing where there is but one row.
    const QString file = traceFile(FaultSpec{"down_tail_rows_skipped", 0}, "a");
    chooseCandidate(panel, "Open a trace…", file);
    run(panel);
    QVERIFY2(panel->diagnosis()->title().contains(QLatin1String(" or ")),
             qPrintable(panel->result()->text()));
    panel->tabs()->setCurrent(InspectorPanel::cause_tab);
    const QList<QLabel*> labels = panel->diagnosis()->findChildren<QLabel*>();
    QVERIFY(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) {
        return label->text().contains(QLatin1String("capture a trace of a prompt of 21 tokens"));
    }));
    QVERIFY(!labelled<QPushButton>(panel, QStringLiteral("Run the separating input")));
}

QTEST_MAIN(TestInspectorCandidates)
#include "tst_inspector_candidates.moc"
