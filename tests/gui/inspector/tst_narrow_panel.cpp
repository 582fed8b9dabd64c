// SPDX-License-Identifier: GPL-3.0-or-later
// In a narrow or low dock the panel scrolls: nothing of it is cut, and no label lies on another.
#include <QLabel>
#include <QTest>

#include "tests/gui/inspector/sample_inspections.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/result_line.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int run_ms = 20000;

QString nameOf(const QWidget* widget) {
    return QLatin1String(widget->metaObject()->className()) + QLatin1Char(' ') +
           widget->accessibleName() + widget->property("text").toString().left(40);
}

// Lines that wrap and have less height than they need; plots that are lower than they may be.
QStringList cutWidgets(const QWidget* panel) {
    QStringList cut;
    for (const QWidget* widget : panel->findChildren<QWidget*>()) {
        if (!widget->isVisible()) continue;
        const auto* label = qobject_cast<const QLabel*>(widget);
        const bool wraps = label && label->wordWrap() && !label->text().isEmpty();
        const int needed = wraps ? label->heightForWidth(label->width()) : widget->minimumHeight();
        if (widget->height() < needed)
            cut << QStringLiteral("%1: %2 of %3")
                       .arg(nameOf(widget))
                       .arg(widget->height())
                       .arg(needed);
    }
    return cut;
}

// Neighbours of which one lies on the other.
QStringList overlaps(const QWidget* parent) {
    QStringList found;
    QList<const QWidget*> shown;
    for (const QObject* child : parent->children()) {
        const auto* widget = qobject_cast<const QWidget*>(child);
        if (widget && widget->isVisible() && !widget->inherits("QSplitterHandle")) shown << widget;
    }
    for (const QWidget* one : shown)
        for (const QWidget* other : shown)
            if (one < other && one->geometry().intersects(other->geometry()))
                found << nameOf(one) + QStringLiteral(" and ") + nameOf(other);
    return found;
}

// In pixels, the smallest distance of two ticks.
double closestTicks(const QCPAxis* axis) {
    double closest = 1e9;
    const QVector<double> ticks = axis->tickVector();
    for (int i = 1; i < ticks.size(); ++i)
        closest = std::min(
            closest, std::abs(axis->coordToPixel(ticks[i]) - axis->coordToPixel(ticks[i - 1])));
    return closest;
}

}  // namespace

class TestNarrowPanel : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void aCutLineIsFound();
    void nothingIsCut_data();
    void nothingIsCut();
    void axisLabelsDoNotTouch();
    void firstDivergencesNameIsWhole();

  private:
    void resize(int width, int height) {
        dock_.resize(width, height);
        QTest::qWait(50);  // layouts that ask for another height do so one after the other
    }

    std::shared_ptr<const Model> model_;
    InspectionThread thread_;
    InspectorDock dock_{&thread_};
    InspectorPanel* panel_ = dock_.panel();
};

void TestNarrowPanel::initTestCase() {
    dock_.show();
    model_ = tinyModelWithTokenizer();
    QVERIFY(model_);
    panel_->setModel(model_);
    panel_->bar()->plant({"k_output_scaled", 1});
    panel_->run();
    QTRY_VERIFY_WITH_TIMEOUT(!panel_->bar()->isRunning(), run_ms);
    QVERIFY2(panel_->result()->text().contains(QStringLiteral("parts from")),
             qPrintable(panel_->result()->text()));
    QTRY_VERIFY_WITH_TIMEOUT(panel_->drillDown()->detail()->detail(), run_ms);
}

void TestNarrowPanel::aCutLineIsFound() {
    QWidget parent;
    QLabel line(QStringLiteral("some words that go on in another line"), &parent);
    QLabel other(QStringLiteral("x"), &parent);
    line.setWordWrap(true);
    line.setGeometry(0, 0, 60, line.fontMetrics().height());
    other.setGeometry(0, 5, 60, 20);
    parent.show();
    QCOMPARE(cutWidgets(&parent).size(), 1);
    QCOMPARE(overlaps(&parent).size(), 1);
}

void TestNarrowPanel::nothingIsCut_data() {
    QTest::addColumn<int>("width");
    QTest::addColumn<int>("height");
    QTest::addColumn<int>("tab");
    const auto unit = QFontMetrics(QApplication::font()).height();
    for (const int width : {0, unit * 23, unit * 32, unit * 80})  // 0: as narrow as it gets
        for (const int height : {unit * 20, unit * 44})
            for (const int tab :
                 {InspectorPanel::layer_tab, InspectorPanel::cause_tab, InspectorPanel::runs_tab})
                QTest::addRow("%d x %d, tab %d", width, height, tab) << width << height << tab;
}

void TestNarrowPanel::nothingIsCut() {
    QFETCH(int, width);
    QFETCH(int, height);
    QFETCH(int, tab);
    panel_->tabs()->setCurrent(tab);
    resize(width, height);
    QTRY_COMPARE(cutWidgets(panel_).join(QStringLiteral("; ")), QString());
    QStringList covered = overlaps(panel_);
    for (const QWidget* part : panel_->findChildren<QWidget*>())
        if (part->isVisible() && part->layout()) covered << overlaps(part);
    QCOMPARE(covered.join(QStringLiteral("; ")), QString());
}

void TestNarrowPanel::axisLabelsDoNotTouch() {
    panel_->tabs()->setCurrent(InspectorPanel::layer_tab);
    for (const int width : {0, 1200}) {
        resize(width, 500);
        for (auto* plot : panel_->findChildren<PlotWidget*>()) {
            if (!plot->isVisible()) continue;
            const auto* y = plot->yAxis;
            QTRY_VERIFY2(closestTicks(y) >= QFontMetrics(y->tickLabelFont()).height() * 0.9,
                         qPrintable(QStringLiteral("%1: %2 pixels")
                                        .arg(plot->accessibleName())
                                        .arg(closestTicks(y))));
        }
    }
}

void TestNarrowPanel::firstDivergencesNameIsWhole() {
    panel_->tabs()->setCurrent(InspectorPanel::layer_tab);
    DivergencePlot* const plot = panel_->plot()->plot();
    for (const int width : {0, 420, 1200}) {
        resize(width, 500);
        int texts = 0;
        for (int i = 0; i < plot->itemCount(); ++i) {
            const auto* text = qobject_cast<QCPItemText*>(plot->item(i));
            if (!text || !text->visible()) continue;
            ++texts;
            const QRect axes = plot->axisRect()->rect();
            QVERIFY(text->left->pixelPosition().x() >= axes.left() - 1);
            QVERIFY(text->right->pixelPosition().x() <= axes.right() + 2);
        }
        QCOMPARE(texts, 1);
    }
}

QTEST_MAIN(TestNarrowPanel)
#include "tst_narrow_panel.moc"
