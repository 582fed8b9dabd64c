// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/tap_detail_view.h"

#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/inspector/error_histogram.h"
#include "ui/inspector/error_map_model.h"
#include "ui/inspector/figure_table.h"
#include "ui/inspector/flow_layout.h"
#include "ui/inspector/heatmap_view.h"
#include "ui/inspector/histogram_model.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/worst_elements_model.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"

namespace lockstep {

TapDetailView::TapDetailView(QWidget* parent)
    : WrappingWidget(parent),
      views_(new Segments(tr("How the tensor is shown"))),
      whose_(new QComboBox),
      stack_(new QStackedWidget),
      message_(mutedLabel({})),
      readout_(mutedLabel({})),
      heatmap_(new HeatmapView),
      histogram_(new ErrorHistogramView),
      worst_(makeFigureTable(tr("Worst elements"))),
      cells_(makeFigureTable(tr("Largest errors by token and channel"))),
      bins_(makeFigureTable(tr("Elements by the size of their error"))),
      elements_(new WorstElementsModel(this)),
      map_figures_(new ErrorMapModel(this)),
      histogram_figures_(new HistogramModel(this)),
      as_table_(new QToolButton) {
    setObjectName(QStringLiteral("tap_detail"));
    views_->add(tr("Heatmap"), tr("Where the errors lie: token by channel"));
    views_->add(tr("Histogram"), tr("How the errors are spread, beside the noise floor's"));
    views_->add(tr("Worst elements"), tr("The elements that are furthest off truth"));
    whose_->addItem(tr("Candidate's errors"));
    whose_->addItem(tr("Noise floor"));
    whose_->setAccessibleName(tr("Whose errors the heatmap shows"));
    whose_->setToolTip(
        tr("Both on one colour scale: the candidate's errors against truth, or "
           "the reference's"));
    makeTables();
    worst_->setToolTip(tr("Enter or a click shows the element on the heatmap"));
    message_->setAlignment(Qt::AlignCenter);
    message_->setTextFormat(Qt::PlainText);
    const int unit = fontMetrics().height();
    message_->setContentsMargins(unit, unit, unit, unit);
    readout_->setTextFormat(Qt::PlainText);
    readout_->setMinimumHeight(unit);
    for (QWidget* page :
         std::initializer_list<QWidget*>{heatmap_, histogram_, worst_, cells_, bins_, message_})
        stack_->addWidget(page);
    auto* controls = new QWidget;
    auto* flow = new FlowLayout(controls);
    flow->setSpacing(unit / 2);
    flow->setContentsMargins(0, 0, 0, 0);
    flow->addWidget(views_);
    flow->addWidget(whose_);
    flow->addWidget(as_table_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, unit / 4, 0, 0);
    column->setSpacing(unit / 4);
    column->addWidget(controls);
    column->addWidget(stack_, 1);
    column->addWidget(readout_);
    connect(views_, &Segments::currentChanged, this, &TapDetailView::showView);
    connect(whose_, &QComboBox::currentIndexChanged, this, [this](int index) {
        heatmap_->setDetail(detail_, index == 1);
        map_figures_->setDetail(detail_, index == 1);
    });
    connect(as_table_, &QToolButton::toggled, this, &TapDetailView::showView);
    connect(worst_, &QTableView::activated, this,
            [this](const QModelIndex& index) { showOnHeatmap(index.row()); });
    connect(worst_, &QTableView::clicked, this,
            [this](const QModelIndex& index) { showOnHeatmap(index.row()); });
    for (PlotWidget* plot : std::initializer_list<PlotWidget*>{heatmap_, histogram_})
        connect(plot, &PlotWidget::readoutChanged, this, &TapDetailView::showView);
    setMessage({});
}

void TapDetailView::makeTables() {
    worst_->setModel(elements_);
    cells_->setModel(map_figures_);
    bins_->setModel(histogram_figures_);
    // Of hundreds of columns none is measured.
    cells_->horizontalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    cells_->horizontalHeader()->setDefaultSectionSize(
        fontMetrics().horizontalAdvance(QStringLiteral("0000–0000")) + fontMetrics().height());
    cells_->horizontalHeader()->setStretchLastSection(false);
    cells_->verticalHeader()->show();
    as_table_->setIcon(themedIcon(QStringLiteral("table")));
    as_table_->setToolTip(tr("The tensor's figures as a table"));
    as_table_->setAccessibleName(tr("The tensor's figures as a table"));
    as_table_->setCheckable(true);
    as_table_->setFocusPolicy(Qt::StrongFocus);
}

void TapDetailView::setDetail(std::shared_ptr<const TapDetail> detail) {
    detail_ = std::move(detail);
    map_figures_->setDetail(detail_, whose_->currentIndex() == 1);
    histogram_figures_->setHistogram(detail_->figures.histogram);
    heatmap_->setDetail(detail_, whose_->currentIndex() == 1);
    histogram_->setDetail(detail_);
    elements_->setDetail(*detail_);
    message_->clear();
    showView();
}

void TapDetailView::setMessage(const QString& message) {
    detail_.reset();
    map_figures_->setDetail(nullptr);
    histogram_figures_->setHistogram({});
    heatmap_->clear();
    histogram_->setDetail(nullptr);
    elements_->setDetail({{}, 0, {TapLayout(Tensor(nullptr, DType::f32, {0, 0})), {}, {}, {}, {}}});
    message_->setText(message);
    showView();
}

QString TapDetailView::message() const {
    return detail_ ? QString() : message_->text();
}

QWidget* TapDetailView::page() const {
    if (!detail_) return message_;
    const bool table = as_table_->isChecked();
    switch (views_->current()) {
        case heatmap_view:
            return table ? static_cast<QWidget*>(cells_) : heatmap_;
        case histogram_view:
            return table ? static_cast<QWidget*>(bins_) : histogram_;
        default:
            return worst_;
    }
}

void TapDetailView::showView() {
    stack_->setCurrentWidget(page());
    as_table_->setVisible(detail_ && views_->current() != worst_view);
    views_->setEnabled(detail_ != nullptr);
    whose_->setVisible(detail_ && views_->current() == heatmap_view);
    const auto* plot = qobject_cast<PlotWidget*>(stack_->currentWidget());
    readout_->setText(plot ? plot->readout() : QString());
    readout_->setVisible(plot);
}

void TapDetailView::showOnHeatmap(int row) {
    if (row < 0 || !detail_) return;
    views_->setCurrent(heatmap_view);
    as_table_->setChecked(false);
    whose_->setCurrentIndex(0);
    heatmap_->mark(elements_->at(row));
    heatmap_->setFocus();
}

}  // namespace lockstep
