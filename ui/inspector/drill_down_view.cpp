// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/drill_down_view.h"

#include <QLabel>
#include <QSplitter>
#include <QTableView>
#include <QVBoxLayout>
#include <QtConcurrent>

#include "ui/inspector/figure_table.h"
#include "ui/inspector/figures.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/inspector/tap_table_model.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

constexpr int ask_after_ms = 250;  // arrow keys walk over layers that nobody wants to look into

bool sameStep(const Divergence& a, const Divergence& b) {
    return a.prompt == b.prompt && a.pass == b.pass && a.layer == b.layer && a.step == b.step;
}

QString placeText(const Divergence& where, const Comparison& comparison, int num_hidden_layers) {
    QString text = layerText(where.layer, num_hidden_layers);
    if (where.pass > 0) text += DrillDownView::tr(", decode step %1").arg(where.pass);
    if (comparison.prompts.size() > 1)
        text += DrillDownView::tr(", prompt %1").arg(where.prompt + 1);
    return text;
}

int layersOf(const Comparison& comparison) {
    return comparison.passes.empty() ? 0 : int(comparison.passes.front().layers.size()) - 2;
}

}  // namespace

DrillDownView::DrillDownView(QWidget* parent)
    : WrappingWidget(parent),
      heading_(headingLabel({}, 1.05)),
      taps_(new TapTableModel(this)),
      table_(makeFigureTable(tr("Tensors of the layer"), TapTableModel::verdict)),
      detail_(new TapDetailView) {
    setObjectName(QStringLiteral("drill_down"));
    table_->setModel(taps_);
    const int unit = fontMetrics().height();
    auto* splitter = new QSplitter(Qt::Vertical);
    splitter->addWidget(table_);
    splitter->addWidget(detail_);
    splitter->setStretchFactor(0, 1);
    splitter->setStretchFactor(1, 2);
    splitter->setSizes({1000, 2000});  // in this proportion, until somebody moves the handle
    splitter->setChildrenCollapsible(false);
    table_->setMinimumHeight(unit * 9 / 2);  // the heading and two tensors
    heading_->setTextFormat(Qt::PlainText);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit / 2, unit / 4, unit / 2, unit / 4);
    column->setSpacing(unit / 4);
    column->addWidget(splitter, 1);
    ask_soon_.setSingleShot(true);
    ask_soon_.setInterval(ask_after_ms);
    connect(&ask_soon_, &QTimer::timeout, this, &DrillDownView::askForStep);
    connect(&looking_, &QFutureWatcherBase::finished, this, &DrillDownView::takeDetail);
    connect(table_->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& now) { showTap(now.row()); });
    setRun(nullptr);
}

DrillDownView::~DrillDownView() {
    looking_.disconnect(this);
    looking_.waitForFinished();
}

void DrillDownView::setRun(SharedRun run) {
    run_ = std::move(run);
    step_ = run_ ? run_->sharedStep() : nullptr;
    wanted_.reset();
    has_layer_ = false;
    ask_soon_.stop();
    taps_->setLayer({});
    heading_->clear();
    table_->hide();
    detail_->setMessage(
        tr("Click a point of the plot, or walk it with the arrow keys, to look into "
           "that layer."));
    detail_->views()->hide();
}

QString DrillDownView::heading() const {
    return heading_->text();
}

QWidget* DrillDownView::headingLine() const {
    return heading_;
}

void DrillDownView::showPoint(const PlotPoint& point, std::optional<size_t> pass) {
    if (!run_) return;
    const Comparison& comparison = run_->comparison();
    const bool one = pass && *pass < comparison.passes.size();
    const std::vector<LayerComparison> layers =
        one ? comparison.passes[*pass].layers : worst_layers(comparison);
    const auto layer = std::find_if(layers.begin(), layers.end(),
                                    [&](const auto& each) { return each.layer == point.layer; });
    if (layer == layers.end()) return;
    const bool same = has_layer_ && layer_ == point.layer && pass_ == pass;
    layer_ = point.layer;
    pass_ = pass;
    has_layer_ = true;
    if (!same) taps_->setLayer(*layer);
    table_->show();
    heading_->setText(layerText(layer_, layersOf(comparison)));
    // The tensor that the plot tells of; of the first divergence, the one that it names.
    const auto& first = comparison.first;
    const bool at_first = first && first->layer == point.layer && !pass;
    int row = at_first ? taps_->rowOf(first->step, first->tensor)
                       : taps_->rowOf(point.step, point.tensor);
    if (row < 0) row = taps_->mostTelling();
    if (row < 0) return;
    if (table_->currentIndex().row() == row)
        showTap(row);
    else
        table_->selectRow(row);
}

void DrillDownView::showTap(int row) {
    if (!run_ || row < 0 || row >= taps_->rowCount()) return;
    const Comparison& comparison = run_->comparison();
    const std::string& tensor = taps_->tensorAt(row);
    wanted_ = worst_place(comparison, layer_, taps_->stepAt(row), tensor, pass_);
    if (tensor.empty() || !wanted_) {
        wanted_.reset();
        return detail_->setMessage(tr("Choose one of the tensors that the step puts out."));
    }
    heading_->setText(placeText(*wanted_, comparison, layersOf(comparison)));
    if (isOpen(*wanted_)) return look();
    detail_->setMessage(tr("Opening the step…"));
    detail_->views()->show();
    ask_soon_.start();
}

bool DrillDownView::isOpen(const Divergence& where) const {
    return step_ && sameStep(step_->where, where);
}

void DrillDownView::askForStep() {
    if (!wanted_ || !run_) return;
    const auto first = run_->sharedStep();
    if (first && sameStep(first->where, *wanted_)) {
        step_ = first;
        return look();
    }
    Q_EMIT stepWanted(*wanted_);
}

void DrillDownView::showStep(std::shared_ptr<const StepCase> step) {
    if (!wanted_ || !step) return;
    if (!sameStep(step->where, *wanted_)) return ask_soon_.start();  // somebody walked on
    step_ = std::move(step);
    look();
}

void DrillDownView::showStepFailed(const QString& message) {
    if (wanted_) detail_->setMessage(tr("This step cannot be opened again: %1").arg(message));
}

void DrillDownView::look() {
    if (looking_.isRunning()) return;  // takeDetail() looks again
    looking_.setFuture(QtConcurrent::run([step = step_, tensor = wanted_->tensor] {
        Looked looked{step, tensor, nullptr};
        std::optional<TapDetail> found = tap_detail(*step, tensor);
        if (found) looked.detail = std::make_shared<const TapDetail>(std::move(*found));
        return looked;
    }));
}

void DrillDownView::takeDetail() {
    if (!wanted_ || !isOpen(*wanted_)) return;
    const Looked looked = looking_.result();
    if (looked.step != step_ || looked.tensor != wanted_->tensor) return look();
    detail_->views()->show();
    if (looked.detail) return detail_->setDetail(looked.detail);
    detail_->setMessage(tr("Not every path puts out %1.").arg(toText(wanted_->tensor)));
}

}  // namespace lockstep
