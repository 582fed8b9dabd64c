// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/run_history_view.h"

#include <QBoxLayout>
#include <QItemSelectionModel>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>

#include "ui/inspector/beside_table_model.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/figure_table.h"
#include "ui/inspector/segments.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

QString runTitle(const InspectionRun& run) {
    return RunHistoryView::tr("Run %1: %2, %3")
        .arg(run.number)
        .arg(QString::fromStdString(run.comparison().candidate), verdictText(run.comparison()));
}

}  // namespace

RunHistoryView::RunHistoryView(QWidget* parent)
    : WrappingWidget(parent),
      runs_(new RunHistoryModel(this)),
      figures_(new BesideTableModel(this)),
      table_(makeFigureTable(tr("Runs"), RunHistoryModel::verdict)),
      figure_table_(
          makeFigureTable(tr("Both runs, layer by layer"), BesideTableModel::verdict_after)),
      open_(new QPushButton(tr("&Open the run"))),
      hint_(mutedLabel(tr("Select two runs (Ctrl+click, or Shift+arrow) to put them beside each "
                          "other."))),
      before_title_(new QLabel),
      after_title_(new QLabel),
      before_(new DivergencePlot),
      after_(new DivergencePlot) {
    setObjectName(QStringLiteral("run_history"));
    table_->setModel(runs_);
    table_->setSelectionMode(QAbstractItemView::ExtendedSelection);
    figure_table_->setModel(figures_);
    open_->setAutoDefault(false);
    const int unit = fontMetrics().height();
    auto* row = new QHBoxLayout;
    row->addWidget(hint_, 1);
    row->addStretch();
    row->addWidget(open_, 0, Qt::AlignTop);
    auto* top = new WrappingWidget;
    auto* top_column = new QVBoxLayout(top);
    top_column->setContentsMargins(0, 0, 0, 0);
    top_column->addWidget(table_, 1);
    top_column->addLayout(row);
    beside_page_ = makeBeside();
    auto* splitter = new QSplitter(Qt::Vertical);
    splitter->addWidget(top);
    splitter->addWidget(beside_page_);
    splitter->setStretchFactor(1, 2);
    splitter->setChildrenCollapsible(false);
    table_->setMinimumHeight(unit * 5);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit / 2, unit / 4, unit / 2, unit / 4);
    column->addWidget(splitter);
    connect(open_, &QPushButton::clicked, this, &RunHistoryView::openCurrent);
    connect(table_, &QTableView::activated, this, &RunHistoryView::openCurrent);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &RunHistoryView::showBeside);
    connect(runs_, &QAbstractItemModel::modelReset, this, &RunHistoryView::showBeside);
    connect(before_, &DivergencePlot::selected, this, [this](int index) {
        if (after_->current() != index) after_->select(index);
    });
    connect(after_, &DivergencePlot::selected, this, [this](int index) {
        if (before_->current() != index) before_->select(index);
    });
    showBeside();
}

QWidget* RunHistoryView::makeBeside() {
    as_ = new Segments(tr("How the two runs are shown"));
    as_->add(tr("Plots"));
    as_->add(tr("Table"));
    plots_ = new WrappingWidget;
    auto* plots = new QBoxLayout(QBoxLayout::TopToBottom, plots_);
    plots->setContentsMargins(0, 0, 0, 0);
    for (const auto& [title, plot] : {std::pair{before_title_, before_}, {after_title_, after_}}) {
        title->setTextFormat(Qt::PlainText);
        title->setWordWrap(true);
        auto* one = new QVBoxLayout;
        one->addWidget(title);
        one->addWidget(plot, 1);
        plots->addLayout(one, 1);
    }
    before_->setAccessibleName(tr("Error by layer, the earlier run"));
    after_->setAccessibleName(tr("Error by layer, the later run"));
    beside_stack_ = new QStackedWidget;
    beside_stack_->addWidget(plots_);
    beside_stack_->addWidget(figure_table_);
    connect(as_, &Segments::currentChanged, beside_stack_, &QStackedWidget::setCurrentIndex);
    auto* page = new WrappingWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(as_);
    column->addWidget(beside_stack_, 1);
    return page;
}

void RunHistoryView::setChoice(const PlotChoice& choice) {
    choice_ = choice;
    choice_.pass.reset();  // two runs may have different ones
    showBeside();
}

void RunHistoryView::openCurrent() {
    const int row = table_->currentIndex().row();
    if (row >= 0) Q_EMIT opened(runs_->at(row));
}

void RunHistoryView::showBeside() {
    const QModelIndexList rows = table_->selectionModel()->selectedRows();
    open_->setEnabled(table_->currentIndex().isValid());
    beside_ = {-1, -1};
    beside_page_->setVisible(rows.size() == 2);
    hint_->setVisible(rows.size() != 2);
    if (rows.size() != 2) return;
    SharedRun was = runs_->at(rows[0].row()), is = runs_->at(rows[1].row());
    if (was->number > is->number) std::swap(was, is);
    beside_ = {was->number, is->number};
    const PlotData before_data = plot_data(was->comparison(), choice_);
    const PlotData after_data = plot_data(is->comparison(), choice_);
    before_title_->setText(runTitle(*was));
    after_title_->setText(runTitle(*is));
    before_->setData(before_data, choice_.metric);
    after_->setData(after_data, choice_.metric);
    before_->setSharedValues(after_->values());
    after_->setSharedValues(before_->values());
    figures_->setRuns(tr("run %1").arg(was->number), before_data, tr("run %1").arg(is->number),
                      after_data);
}

void RunHistoryView::resizeEvent(QResizeEvent* event) {
    WrappingWidget::resizeEvent(event);
    const bool wide = width() > fontMetrics().height() * 44;
    static_cast<QBoxLayout*>(plots_->layout())
        ->setDirection(wide ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom);
}

}  // namespace lockstep
