// SPDX-License-Identifier: GPL-3.0-or-later
// The inspector in the real window, driven as people drive it: a fault is planted through the menu,
// the run's sentence read, the marked point clicked, the drill-down opened, the run exported.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTableView>
#include <QThread>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <ctime>

#include "core/inspect/fault.h"
#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/inspector/diagnosis_card.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/export_menu.h"
#include "ui/inspector/fault_menu.h"
#include "ui/inspector/heatmap_view.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/result_line.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/run_history_view.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/inspector/tap_table_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int run_ms = 120000;  // under a sanitizer
// That one event may keep the GUI thread; under a sanitizer everything takes longer.
#ifdef NDEBUG
constexpr double away_ms = 16;
#else
constexpr double away_ms = 160;
#endif

// Knows of each event how long the GUI thread computed for it. Not the wall's time, in which other
// processes have their share, but the thread's own.
class TimedApplication : public QApplication {
  public:
    using QApplication::QApplication;

    bool notify(QObject* receiver, QEvent* event) override {
        if (QThread::currentThread() != thread()) return QApplication::notify(receiver, event);
        // The receiver may be gone afterwards.
        const char* const name = receiver->metaObject()->className();
        const auto type = event->type();
        const double begin = thread_ms();
        ++depth_;
        const bool done = QApplication::notify(receiver, event);
        --depth_;
        const double taken = thread_ms() - begin;
        if (depth_ == 0 && taken > worst_ms) {
            worst_ms = taken;
            worst = QStringLiteral("event %1 to a %2").arg(type).arg(QLatin1String(name));
        }
        return done;
    }

    double worst_ms = 0;
    QString worst;

  private:
    static double thread_ms() {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return double(now.tv_sec) * 1e3 + double(now.tv_nsec) / 1e6;
    }
    int depth_ = 0;
};

}  // namespace

#define VERIFY_RAN(panel) QTRY_VERIFY_WITH_TIMEOUT(!(panel)->bar()->isRunning(), run_ms)

class TestInspector : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void opensAndClosesWithItsShortcut();
    void saysThatPathsMatch();
    void aResultOfAnEarlierChoiceSaysSo();
    void findsAPlantedFault();
    void saysThatAPlantedFaultChangesNothing();
    void keysWalkTheLayers();
    void mouseZoomsAndResets();
    void stepsAndTensorsAreChosen();
    void opensTheStepOfAnotherLayer();
    void aWorstElementIsShownOnTheHeatmap();
    void theHeatmapIsSeenWithoutScrolling_data();
    void theHeatmapIsSeenWithoutScrolling();
    void exportsWhatItShows();
    void cannotWriteSaysSo();
    void showsTheCauseOverTheCurve();
    void twoRunsBesideEachOther();
    void comparesThisConversation();
    void aRunThatCannotBeSaysWhy();
    void cancelEndsARun();
    void anotherModelForgetsTheRuns();
    void theWindowStaysResponsive();

  private:
    InspectorPanel* openPanel(WindowFixture& fixture);
    void plantThroughTheMenu(InspectorPanel* panel, const char* fault, int layer);
    void clickPoint(DivergencePlot* plot, int index);

    QTemporaryDir folder_;
    QString model_;
};

void TestInspector::initTestCase() {
    model_ = folder_.filePath(QStringLiteral("tiny"));
    QVERIFY(write_tiny_model(byte_recipe(), model_.toStdString()));
}

InspectorPanel* TestInspector::openPanel(WindowFixture& fixture) {
    MainWindow& window = fixture.open(model_);
    window.resize(1280, 860);
    (void)QTest::qWaitFor([&] { return !window.isLoading(); }, load_ms);
    window.inspector()->show();
    return window.inspector()->panel();
}

void TestInspector::plantThroughTheMenu(InspectorPanel* panel, const char* fault, int layer) {
    auto* action = panel->bar()->faultMenu()->findChild<QAction*>(QLatin1String("fault_") +
                                                                  QLatin1String(fault));
    QVERIFY2(action && action->isEnabled(), fault);
    action->trigger();
    auto* spin = named<QSpinBox>(panel, QStringLiteral("Layer of the planted fault"));
    QVERIFY(spin);
    spin->setValue(layer);
    QVERIFY(panel->bar()->fault());
    QCOMPARE(panel->bar()->fault()->layer, layer);
}

void TestInspector::clickPoint(DivergencePlot* plot, int index) {
    QTest::qWait(50);  // the axes are laid out as they are drawn
    QTest::mouseClick(plot, Qt::LeftButton, {}, plot->pointPosition(index).toPoint());
}

void TestInspector::opensAndClosesWithItsShortcut() {
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_);
    VERIFY_LOADED(window);
    QVERIFY(!window.inspector()->isVisible());
    auto* action = window.findChild<QAction*>(QStringLiteral("inspector"));
    QCOMPARE(action->shortcut(), QKeySequence(Qt::CTRL | Qt::Key_I));
    action->trigger();
    QVERIFY(window.inspector()->isVisible());
    QVERIFY(action->isChecked());
    action->trigger();
    QVERIFY(!window.inspector()->isVisible());
    // Also by the dock's own button.
    action->trigger();
    window.inspector()->close();
    QVERIFY(!action->isChecked());
}

void TestInspector::saysThatPathsMatch() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    QTest::mouseClick(panel->bar()->runButton(), Qt::LeftButton);
    QCOMPARE(panel->result()->state(), ResultLine::State::running);
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::match);
    QVERIFY2(panel->result()->text().startsWith(QLatin1String("fused matches reference")),
             qPrintable(panel->result()->text()));
    QVERIFY(!panel->plot()->plot()->data().first);
    QCOMPARE(panel->diagnosis()->title(), QStringLiteral("Nothing to explain"));
}

// "It matches" under the banner of a planted fault would be read as what the fault came to.
void TestInspector::aResultOfAnEarlierChoiceSaysSo() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    QVERIFY(!panel->result()->isEarlier());
    plantThroughTheMenu(panel, "k_output_scaled", 0);
    QVERIFY(panel->result()->isEarlier());
    auto* note = panel->result()->findChild<QWidget*>(QStringLiteral("earlier_note"));
    QVERIFY(note && note->isVisible());
    panel->bar()->removeFault();
    QVERIFY(!panel->result()->isEarlier() && !note->isVisible());
    auto* decode = named<QSpinBox>(panel, QStringLiteral("Decode steps"));
    decode->setValue(2);
    QVERIFY(panel->result()->isEarlier());
    panel->run();
    VERIFY_RAN(panel);
    QVERIFY(!panel->result()->isEarlier());
    // A cancelled run leaves the older one, and what is said of it.
    decode->setValue(200);
    panel->run();
    labelled<QPushButton>(panel, QStringLiteral("Cancel"))->click();
    VERIFY_RAN(panel);
    QCOMPARE(panel->shown()->number, 2);
    QVERIFY(panel->result()->isEarlier());
}

void TestInspector::findsAPlantedFault() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "k_output_scaled", 0);
    QVERIFY(panel->findChild<QWidget*>(QStringLiteral("planted_fault"))->isVisible());
    QTest::mouseClick(panel->bar()->runButton(), Qt::LeftButton);
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    const QString text = panel->result()->text();
    QVERIFY2(text.contains(QLatin1String("parts from reference in layer 0, qkv: k is off by")),
             qPrintable(text));
    QVERIFY2(text.contains(QLatin1String("Its input is identical.")), qPrintable(text));

    DivergencePlot* plot = panel->plot()->plot();
    QVERIFY(plot->data().first);
    const int first = int(*plot->data().first);
    QVERIFY(plot->data().points[size_t(first)].diverged);
    plot->select(-1);
    clickPoint(plot, first);
    QCOMPARE(plot->current(), first);
    QVERIFY(plot->readout().startsWith(QLatin1String("layer 0, qkv k: drift")));
    QVERIFY(plot->readout().endsWith(QLatin1String("diverged")));

    DrillDownView* drill_down = panel->drillDown();
    const int row = drill_down->table()->currentIndex().row();
    QCOMPARE(drill_down->taps()->tensorAt(row), std::string("k"));
    QVERIFY(drill_down->heading().startsWith(QLatin1String("layer 0")));
    QTRY_VERIFY_WITH_TIMEOUT(drill_down->detail()->detail(), run_ms);
    QCOMPARE(drill_down->detail()->detail()->tensor, std::string("k"));
}

void TestInspector::saysThatAPlantedFaultChangesNothing() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "rope_interleaved", 1);
    named<QComboBox>(panel, QStringLiteral("Prompt"))->setCurrentText(QStringLiteral("A text"));
    named<QLineEdit>(panel, QStringLiteral("Prompt text"))->setText(QStringLiteral("H"));
    panel->run();
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::match);
    const QString said = QStringLiteral("The fault planted in layer 1, qkv (rope_interleaved)");
    QVERIFY2(panel->result()->text().contains(said), qPrintable(panel->result()->text()));
    panel->tabs()->setCurrent(InspectorPanel::cause_tab);
    QCOMPARE(panel->diagnosis()->title(), QStringLiteral("The planted fault does not show"));
    auto* show =
        labelled<QPushButton>(panel->diagnosis(), QStringLiteral("Run an input that shows it"));
    QVERIFY(show && show->isVisible());
    show->click();
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
    QVERIFY2(!panel->result()->text().contains(said), qPrintable(panel->result()->text()));
}

void TestInspector::keysWalkTheLayers() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    DivergencePlot* plot = panel->plot()->plot();
    plot->setFocus();
    QTest::keyClick(plot, Qt::Key_Home);
    QCOMPARE(plot->current(), 0);
    QVERIFY(plot->readout().startsWith(QLatin1String("embed")));
    QTest::keyClick(plot, Qt::Key_Left);
    QCOMPARE(plot->current(), 0);
    QTest::keyClick(plot, Qt::Key_Right);
    QCOMPARE(plot->current(), 1);
    QTest::keyClick(plot, Qt::Key_End);
    QCOMPARE(plot->current(), int(plot->data().points.size()) - 1);
    QVERIFY(plot->readout().startsWith(QLatin1String("logits")));
    QCOMPARE(plot->accessibleDescription(), plot->readout());
    QTest::keyClick(plot, Qt::Key_Right);
    QCOMPARE(plot->current(), int(plot->data().points.size()) - 1);
}

void TestInspector::mouseZoomsAndResets() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    DivergencePlot* plot = panel->plot()->plot();
    QTest::qWait(50);
    const QCPRange all = plot->xAxis->range();
    const QPoint middle = plot->axisRect()->rect().center();
    QWheelEvent wheel(middle, plot->mapToGlobal(middle), {}, {0, 120}, {}, {}, Qt::NoScrollPhase,
                      false);
    QCoreApplication::sendEvent(plot, &wheel);
    QVERIFY(plot->xAxis->range().size() < all.size());
    QTest::mouseDClick(plot, Qt::LeftButton, {}, middle);
    QCOMPARE(plot->xAxis->range().size(), all.size());
    // A dragged rectangle.
    const QRect axes = plot->axisRect()->rect();
    QTest::mousePress(plot, Qt::LeftButton, {}, axes.topLeft() + QPoint(axes.width() / 4, 10));
    QMouseEvent move(QEvent::MouseMove, axes.center(), plot->mapToGlobal(axes.center()),
                     Qt::LeftButton, Qt::LeftButton, {});
    QCoreApplication::sendEvent(plot, &move);
    QTest::mouseRelease(plot, Qt::LeftButton, {}, axes.center());
    QVERIFY(plot->xAxis->range().size() < all.size() * 0.5);
    QTest::keyClick(plot, Qt::Key_0);
    QCOMPARE(plot->xAxis->range().size(), all.size());
}

void TestInspector::stepsAndTensorsAreChosen() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    DivergencePlot* plot = panel->plot()->plot();
    const size_t layers = plot->data().points.size();
    auto* steps = named<QAbstractButton>(panel, QStringLiteral("Spread each layer into its steps"));
    QVERIFY(steps);
    steps->click();
    QCOMPARE(plot->data().points.size(), (layers - 2) * 5 + 2);
    steps->click();
    auto* tensor = named<QComboBox>(panel, QStringLiteral("Tensor"));
    tensor->setCurrentText(QStringLiteral("mlp"));
    QCOMPARE(plot->data().points.size(), layers - 2);
    tensor->setCurrentIndex(0);
    auto* metric = named<QComboBox>(panel, QStringLiteral("Metric"));
    metric->setCurrentText(QStringLiteral("RMS error"));
    QCOMPARE(plot->yAxis->label(), QStringLiteral("RMS error"));
}

void TestInspector::opensTheStepOfAnotherLayer() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    panel->plot()->plot()->select(1);
    DrillDownView* drill_down = panel->drillDown();
    QTRY_VERIFY_WITH_TIMEOUT(drill_down->detail()->detail(), run_ms);
    const int row = drill_down->taps()->rowOf(StepId::attn_output, "hidden_attn");
    drill_down->table()->selectRow(row);
    QTRY_VERIFY_WITH_TIMEOUT(
        drill_down->detail()->detail() && drill_down->detail()->detail()->tensor == "hidden_attn",
        run_ms);
}

void TestInspector::aWorstElementIsShownOnTheHeatmap() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "k_output_scaled", 1);
    panel->run();
    VERIFY_RAN(panel);
    TapDetailView* detail = panel->drillDown()->detail();
    QTRY_VERIFY_WITH_TIMEOUT(detail->detail(), run_ms);
    detail->views()->setCurrent(TapDetailView::worst_view);
    QVERIFY(detail->worst()->isVisible());
    const WorstElement& worst = detail->detail()->figures.worst.front();
    const QRect cell = detail->worst()->visualRect(detail->worst()->model()->index(0, 0));
    QTest::mouseClick(detail->worst()->viewport(), Qt::LeftButton, {}, cell.center());
    QVERIFY(detail->heatmap()->isVisible());
    const ErrorMap& map = detail->detail()->figures.map;
    const int64_t column = worst.head * detail->detail()->head_width() + worst.channel;
    QCOMPARE(detail->heatmap()->markedCell(),
             QPoint(int(column / map.channels_per_cell), int(worst.token / map.tokens_per_cell)));
    QVERIFY(detail->heatmap()->readout().contains(QLatin1String("token")));
}

void TestInspector::theHeatmapIsSeenWithoutScrolling_data() {
    QTest::addColumn<QSize>("window");
    QTest::newRow("1360 x 860") << QSize(1360, 860);
    QTest::newRow("1000 x 700") << QSize(1000, 700);
}

void TestInspector::theHeatmapIsSeenWithoutScrolling() {
    QFETCH(QSize, window);
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    auto* main = qobject_cast<MainWindow*>(panel->window());
    main->inspector()->hide();
    main->resize(window);
    main->findChild<QAction*>(QStringLiteral("inspector"))->trigger();
    panel->run();  // nothing is planted: its banner is not what people look at all day
    VERIFY_RAN(panel);
    panel->plot()->plot()->select(1);
    const TapDetailView* detail = panel->drillDown()->detail();
    QTRY_VERIFY_WITH_TIMEOUT(detail->detail(), run_ms);
    QTest::qWait(50);
    QCOMPARE(main->size(), window);
    const HeatmapView* heatmap = detail->heatmap();
    QVERIFY(heatmap->isVisible());
    QCOMPARE(heatmap->visibleRegion().boundingRect(), heatmap->rect());
    const QRect cells = heatmap->axisRect()->rect();
    QVERIFY2(cells.height() >= 40 && cells.width() >= 200,
             qPrintable(QStringLiteral("%1 x %2").arg(cells.width()).arg(cells.height())));
}

void TestInspector::exportsWhatItShows() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "k_output_scaled", 1);
    panel->run();
    VERIFY_RAN(panel);
    const auto saved = [&](const char* name) {
        const QString file = fixture.path(name);
        const bool ok = panel->exports()->saveAs(file);
        QFile written(file);
        return ok && written.open(QIODevice::ReadOnly) ? written.readAll() : QByteArray();
    };
    const QImage png = QImage::fromData(saved("plot.png"), "PNG");
    QVERIFY(png.width() >= 960 && png.height() >= 480);
    QVERIFY(saved("plot.pdf").startsWith("%PDF"));
    const QByteArray svg = saved("plot.svg");
    QVERIFY(svg.contains("<svg") && svg.contains("noise floor") && svg.contains("first: layer 1"));
    const QJsonObject json = QJsonDocument::fromJson(saved("run.json")).object();
    QCOMPARE(json.value(QLatin1String("verdict")).toString(), QStringLiteral("diverged"));
    QCOMPARE(json.value(QLatin1String("first_divergence"))
                 .toObject()
                 .value(QLatin1String("tensor"))
                 .toString(),
             QStringLiteral("k"));
    const QByteArray html = saved("run.html");
    QVERIFY(html.contains("<html") && html.contains("layer 1"));
    panel->exports()->copyMarkdown();
    QVERIFY(QGuiApplication::clipboard()->text().contains(QLatin1String("layer 1")));
}

void TestInspector::cannotWriteSaysSo() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    QVERIFY(!panel->exports()->saveAs(QStringLiteral("/nowhere/at/all/plot.png")));
    const auto* window = qobject_cast<MainWindow*>(panel->window());
    QCOMPARE(window->notice()->summary(), QStringLiteral("The run could not be exported"));
    QVERIFY(window->notice()->details().contains(QLatin1String("/nowhere/at/all/plot.png")));
    QVERIFY(!panel->exports()->saveAs(fixture.path("plot.tiff")));
    QVERIFY(!QFile::exists(fixture.path("plot.tiff")));
}

void TestInspector::showsTheCauseOverTheCurve() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "k_output_scaled", 1);
    panel->run();
    VERIFY_RAN(panel);
    if (!panel->shown()->inspection().diagnosis) QSKIP("there is no diagnosis yet");
    panel->tabs()->setCurrent(InspectorPanel::cause_tab);
    QCOMPARE(panel->diagnosis()->title(), QStringLiteral("Cause: k_output_scaled"));
    auto* show_me = labelled<QPushButton>(panel->diagnosis(), QStringLiteral("Show me"));
    QVERIFY(show_me);
    show_me->click();
    VERIFY_RAN(panel);
    QTRY_COMPARE(panel->plot()->plot()->overlayName(), QStringLiteral("k_output_scaled planted"));
    QVERIFY(show_me->isChecked());
    show_me->click();
    QVERIFY(panel->plot()->plot()->overlayName().isEmpty());
}

void TestInspector::twoRunsBesideEachOther() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    plantThroughTheMenu(panel, "k_output_scaled", 1);
    panel->run();
    VERIFY_RAN(panel);
    panel->bar()->removeFault();
    panel->run();
    VERIFY_RAN(panel);
    panel->tabs()->setCurrent(InspectorPanel::runs_tab);
    QCOMPARE(panel->history()->runs()->rowCount(), 2);
    panel->history()->table()->selectAll();
    QCOMPARE(panel->history()->beside(), std::pair(1, 2));
    // The older one opened again.
    panel->history()->table()->setCurrentIndex(panel->history()->runs()->index(1, 0));
    QTest::keyClick(panel->history()->table(), Qt::Key_Return);
    QCOMPARE(panel->shown()->number, 1);
    QCOMPARE(panel->result()->state(), ResultLine::State::diverged);
}

void TestInspector::comparesThisConversation() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    auto* window = qobject_cast<MainWindow*>(panel->window());
    auto* prompt = named<QComboBox>(panel, QStringLiteral("Prompt"));
    const int row = prompt->findText(QStringLiteral("This conversation"));
    QVERIFY(!(prompt->model()->flags(prompt->model()->index(row, 0)) & Qt::ItemIsEnabled));
    window->chat()->send(QStringLiteral("Say hello."));
    VERIFY_ANSWERED(*window);
    QVERIFY(prompt->model()->flags(prompt->model()->index(row, 0)) & Qt::ItemIsEnabled);
    prompt->setCurrentIndex(row);
    panel->run();
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::match);
    QVERIFY(panel->shown()->result.texts.front().find("Say hello.") != std::string::npos);
}

void TestInspector::aRunThatCannotBeSaysWhy() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->bar()->setCandidate(QStringLiteral("/nowhere/my_kernel.so"));
    panel->run();
    VERIFY_RAN(panel);
    QCOMPARE(panel->result()->state(), ResultLine::State::failed);
    QVERIFY2(panel->result()->text().contains(QLatin1String("my_kernel.so")),
             qPrintable(panel->result()->text()));
    QVERIFY(labelled<QPushButton>(panel, QStringLiteral("Try again")));
}

void TestInspector::cancelEndsARun() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    auto* prompt = named<QComboBox>(panel, QStringLiteral("Prompt"));
    prompt->setCurrentText(QStringLiteral("A text"));
    named<QLineEdit>(panel, QStringLiteral("Prompt text"))->setText(QString(180, QLatin1Char('x')));
    panel->run();
    auto* cancel = labelled<QPushButton>(panel, QStringLiteral("Cancel"));
    QVERIFY(cancel);
    cancel->click();
    VERIFY_RAN(panel);
    QVERIFY(!panel->shown());
    QVERIFY(!panel->result()->isVisible());
}

void TestInspector::anotherModelForgetsTheRuns() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();
    VERIFY_RAN(panel);
    const QString other = folder_.filePath(QStringLiteral("other"));
    QVERIFY(write_tiny_model(byte_recipe(), other.toStdString()));
    auto* window = qobject_cast<MainWindow*>(panel->window());
    window->openModel(other);
    VERIFY_LOADED(*window);
    QCOMPARE(panel->history()->runs()->rowCount(), 0);
    QVERIFY(!panel->shown());
}

void TestInspector::theWindowStaysResponsive() {
    WindowFixture fixture;
    InspectorPanel* panel = openPanel(fixture);
    panel->run();  // what is made once, is
    VERIFY_RAN(panel);
    plantThroughTheMenu(panel, "k_output_scaled", 1);
    auto* application = static_cast<TimedApplication*>(qApp);
    // The processor's time of the same work doubles where the core's other thread is busy.
    double least_ms = HUGE_VAL;
    for (int run = 2; run < 5 && least_ms >= away_ms; ++run) {
        application->worst_ms = 0;
        QTimer::singleShot(0, panel, [panel] { panel->run(); });
        QTRY_VERIFY_WITH_TIMEOUT(panel->shown() && panel->shown()->number == run, run_ms);
        QTRY_VERIFY_WITH_TIMEOUT(panel->drillDown()->detail()->detail(), run_ms);
        QTest::qWait(200);
        qInfo("longest: %.1f ms, %s", application->worst_ms, qPrintable(application->worst));
        least_ms = std::min(least_ms, application->worst_ms);
    }
    QVERIFY2(least_ms < away_ms, qPrintable(application->worst));
}

int main(int argc, char** argv) {
    TimedApplication application(argc, argv);
    TestInspector test;
    QTEST_SET_MAIN_SOURCE_PATH
    return QTest::qExec(&test, argc, argv);
}
#include "tst_inspector.moc"
