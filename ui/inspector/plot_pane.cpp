// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/plot_pane.h"

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/figure_table.h"
#include "ui/inspector/figures.h"
#include "ui/inspector/flow_layout.h"
#include "ui/inspector/layer_table_model.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

QComboBox* makeCombo(const QString& name, const QString& tool_tip) {
    auto* combo = new QComboBox;
    combo->setAccessibleName(name);
    combo->setToolTip(tool_tip);
    combo->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    combo->setMinimumContentsLength(9);
    return combo;
}

QString passText(const Comparison& comparison, size_t index) {
    const PassComparison& pass = comparison.passes[index];
    const QString name =
        pass.pass == 0 ? PlotPane::tr("prefill") : PlotPane::tr("decode step %1").arg(pass.pass);
    return comparison.prompts.size() < 2
               ? name
               : PlotPane::tr("prompt %1, %2").arg(pass.prompt + 1).arg(name);
}

}  // namespace

PlotPane::PlotPane(QWidget* parent)
    : WrappingWidget(parent),
      stack_(new QStackedWidget),
      plot_(new DivergencePlot),
      view_(makeFigureTable(tr("Errors by layer, as a table"), LayerTableModel::verdict)),
      table_(new LayerTableModel(this)),
      readout_(mutedLabel({})) {
    makeControls();
    view_->setModel(table_);
    stack_->addWidget(plot_);
    stack_->addWidget(view_);
    readout_->setTextFormat(Qt::PlainText);
    readout_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    const int unit = fontMetrics().height();
    readout_->setMinimumHeight(unit);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit / 2, unit / 3, unit / 2, unit / 4);
    column->setSpacing(unit / 4);
    column->addWidget(controls_);
    column->addWidget(stack_, 1);
    column->addWidget(readout_);
    connect(plot_, &DivergencePlot::selected, this, &PlotPane::showSelected);
    connect(view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& now) {
                if (now.isValid() && now.row() != plot_->current()) plot_->select(now.row());
            });
    connect(as_table_, &QToolButton::toggled, this, [this](bool on) {
        stack_->setCurrentWidget(on ? static_cast<QWidget*>(view_) : plot_);
    });
}

void PlotPane::makeControls() {
    metric_ = makeCombo(tr("Metric"), tr("What is drawn of each error"));
    for (const Metric metric : all_metrics) metric_->addItem(metricTitle(metric), int(metric));
    tensor_ = makeCombo(tr("Tensor"), tr("Whose errors are drawn"));
    pass_ = makeCombo(tr("Pass"), tr("The prefill, a decode step, or the worst of all"));
    by_step_ = new QCheckBox(tr("&Steps"));
    by_step_->setProperty("switch", true);
    by_step_->setToolTip(tr("A point for each step, not for each layer"));
    by_step_->setAccessibleName(tr("Spread each layer into its steps"));
    as_table_ = new QToolButton;
    as_table_->setIcon(themedIcon(QStringLiteral("table")));
    as_table_->setToolTip(tr("The figures as a table"));
    as_table_->setAccessibleName(tr("The figures as a table"));
    as_table_->setCheckable(true);
    as_table_->setFocusPolicy(Qt::StrongFocus);
    controls_ = new QWidget;
    auto* flow = new FlowLayout(controls_);
    flow->setSpacing(fontMetrics().height() / 2);
    flow->setContentsMargins(0, 0, 0, 0);
    for (QWidget* control : std::initializer_list<QWidget*>{metric_, tensor_, pass_, by_step_})
        flow->addWidget(control);
    flow->addStretch();
    auto* buttons = new QWidget;
    buttons_ = new QHBoxLayout(buttons);
    buttons_->setContentsMargins(0, 0, 0, 0);
    buttons_->setSpacing(0);
    buttons_->addWidget(as_table_);
    flow->addWidget(buttons);
    for (QComboBox* combo : {metric_, tensor_, pass_})
        connect(combo, &QComboBox::currentIndexChanged, this, &PlotPane::readControls);
    connect(by_step_, &QCheckBox::toggled, this, &PlotPane::readControls);
    pass_->hide();
}

void PlotPane::addButton(QToolButton* button) {
    buttons_->addWidget(button);
}

void PlotPane::setComparison(std::shared_ptr<const Comparison> comparison) {
    comparison_ = std::move(comparison);
    overlay_.reset();
    overlay_name_.clear();
    fillControls();
    redraw();
}

void PlotPane::setOverlay(const QString& name, std::shared_ptr<const Comparison> comparison) {
    overlay_ = std::move(comparison);
    overlay_name_ = overlay_ ? name : QString();
    redraw();
}

void PlotPane::setChoice(const PlotChoice& choice) {
    choice_ = choice;
    fillControls();
    redraw();
}

void PlotPane::fillControls() {
    const QScopedValueRollback<bool> filling(filling_, true);
    metric_->setCurrentIndex(metric_->findData(int(choice_.metric)));
    by_step_->setChecked(choice_.by_step);
    tensor_->clear();
    tensor_->addItem(tr("All tensors"), QString());
    pass_->clear();
    pass_->addItem(tr("All passes"), -1);
    if (comparison_) {
        for (const std::string& tensor : plot_tensors(*comparison_))
            tensor_->addItem(QString::fromStdString(tensor), QString::fromStdString(tensor));
        for (size_t i = 0; i < comparison_->passes.size(); ++i)
            pass_->addItem(passText(*comparison_, i), int(i));
    }
    tensor_->setCurrentIndex(
        std::max(0, tensor_->findData(QString::fromStdString(choice_.tensor))));
    pass_->setVisible(comparison_ && comparison_->passes.size() > 1);
    pass_->setCurrentIndex(choice_.pass ? std::max(0, pass_->findData(int(*choice_.pass))) : 0);
    controls_->setEnabled(comparison_ != nullptr);
}

void PlotPane::readControls() {
    if (filling_) return;
    choice_.metric = static_cast<Metric>(metric_->currentData().toInt());
    choice_.tensor = tensor_->currentData().toString().toStdString();
    choice_.by_step = by_step_->isChecked();
    const int pass = pass_->currentData().toInt();
    choice_.pass = pass < 0 ? std::nullopt : std::optional(size_t(pass));
    redraw();
    Q_EMIT choiceChanged(choice_);
}

void PlotPane::redraw() {
    const PlotData shown = comparison_ ? plot_data(*comparison_, choice_) : PlotData();
    plot_->setData(shown, choice_.metric);
    plot_->setOverlay(overlay_name_, overlay_ ? plot_data(*overlay_, choice_) : PlotData());
    table_->setPlot(shown);
    if (plot_->current() >= 0) view_->selectRow(plot_->current());
    sayReadout();
}

void PlotPane::sayReadout() {
    readout_->setText(!plot_->readout().isEmpty() ? plot_->readout()
                      : comparison_ ? tr("A click or ← → selects. Wheel or a dragged rectangle "
                                         "zooms, a double click shows all.")
                                    : QString());
}

void PlotPane::selectFirst() {
    const auto& first = plot_->data().first;
    plot_->select(first ? int(*first) : -1);
}

const PlotPoint* PlotPane::current() const {
    const int index = plot_->current();
    return index < 0 ? nullptr : &plot_->data().points[size_t(index)];
}

void PlotPane::showSelected(int index) {
    sayReadout();
    if (index < 0) return;
    view_->selectRow(index);
    Q_EMIT pointSelected(plot_->data().points[size_t(index)]);
}

}  // namespace lockstep
