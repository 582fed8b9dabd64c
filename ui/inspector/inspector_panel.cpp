// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspector_panel.h"

#include <QFileInfo>
#include <QFrame>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/inspector/diagnosis_card.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/export_menu.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/result_line.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/run_history_view.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/welcome_page.h"
#include "ui/inspector/wrapping_widget.h"

namespace lockstep {
namespace {

constexpr int wide_ems = 62;  // from which plot and details stand side by side

// Wants no more than the page that is shown needs at least: neither what another page needs nor
// what this one would like to have makes the panel scroll. (A scroll area gives its widget the
// height that it prefers at a width, where it has one.)
class PageStack : public QStackedWidget {
  public:
    PageStack() { connect(this, &QStackedWidget::currentChanged, this, &QWidget::updateGeometry); }
    QSize minimumSizeHint() const override {
        return currentWidget() ? currentWidget()->minimumSizeHint() : QSize();
    }
    QSize sizeHint() const override { return minimumSizeHint(); }
    bool hasHeightForWidth() const override { return false; }
};

QFrame* line() {
    auto* frame = new QFrame;
    frame->setFrameShape(QFrame::HLine);
    return frame;
}

}  // namespace

InspectorPanel::InspectorPanel(InspectionThread* thread, QWidget* parent)
    : QWidget(parent),
      thread_(thread),
      bar_(new RunBar),
      result_(new ResultLine),
      welcome_(new WelcomePage),
      plot_(new PlotPane),
      exports_(new ExportMenu(plot_->plot())),
      tabs_(new Segments(tr("Below the plot"))),
      drill_down_(new DrillDownView),
      diagnosis_(new DiagnosisCard),
      history_(new RunHistoryView) {
    setObjectName(QStringLiteral("inspector"));
    layOut();
    connectParts();
    connectThread();
    showFigures(false);
    result_->hide();
}

void InspectorPanel::layOut() {
    const int unit = fontMetrics().height();
    plot_->addButton(exports_);
    tabs_->add(tr("&Layer"), tr("The tensors of the layer that is selected in the plot"));
    tabs_->add(tr("Ca&use"), tr("Which fault explains the divergence"));
    tabs_->add(tr("R&uns"), tr("The runs so far, and two beside each other"));
    pages_ = new PageStack;
    for (QWidget* page : std::initializer_list<QWidget*>{drill_down_, diagnosis_, history_})
        pages_->addWidget(page);
    auto* below = new WrappingWidget;
    auto* below_column = new QVBoxLayout(below);
    below_column->setContentsMargins(0, unit / 3, 0, 0);
    below_column->setSpacing(unit / 4);
    auto* tab_row = new QHBoxLayout;
    tab_row->setContentsMargins(unit / 2, 0, unit / 2, 0);
    tab_row->setSpacing(unit);
    tab_row->addWidget(tabs_);
    tab_row->addWidget(drill_down_->headingLine(), 1);
    tab_row->addStretch();
    below_column->addLayout(tab_row);
    below_column->addWidget(pages_, 1);
    splitter_ = new QSplitter(Qt::Vertical);
    splitter_->addWidget(plot_);
    splitter_->addWidget(below);
    splitter_->setStretchFactor(0, 2);
    splitter_->setStretchFactor(1, 3);
    splitter_->setSizes({2000, 3000});  // in this proportion, until somebody moves the handle
    splitter_->setChildrenCollapsible(false);
    stack_ = new PageStack;
    stack_->addWidget(welcome_);
    stack_->addWidget(splitter_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(bar_);
    column->addWidget(line());
    column->addWidget(result_);
    column->addWidget(stack_, 1);
}

void InspectorPanel::connectParts() {
    connect(bar_, &RunBar::runRequested, this, &InspectorPanel::run);
    connect(bar_, &RunBar::changed, this, &InspectorPanel::markEarlier);
    connect(bar_, &RunBar::cancelRequested, thread_, &InspectionThread::cancel);
    connect(welcome_, &WelcomePage::runRequested, this, &InspectorPanel::run);
    connect(welcome_, &WelcomePage::backRequested, this,
            [this] { showRun(shown_, choice_of_shown_); });
    connect(tabs_, &Segments::currentChanged, this, [this](int tab) {
        pages_->setCurrentIndex(tab);
        drill_down_->headingLine()->setVisible(tab == layer_tab);
    });
    connect(plot_, &PlotPane::pointSelected, this, [this](const PlotPoint& point) {
        drill_down_->showPoint(point, plot_->choice().pass);
    });
    connect(plot_->plot(), &DivergencePlot::activated, this, [this] {
        tabs_->setCurrent(layer_tab);
        drill_down_->setFocus();
    });
    connect(plot_, &PlotPane::choiceChanged, this, [this](const PlotChoice& choice) {
        history_->setChoice(choice);
        if (const PlotPoint* point = plot_->current()) drill_down_->showPoint(*point, choice.pass);
    });
    connect(drill_down_, &DrillDownView::stepWanted, this, &InspectorPanel::reopen);
    connect(diagnosis_, &DiagnosisCard::showMeRequested, this, &InspectorPanel::showMe);
    connect(diagnosis_, &DiagnosisCard::hideRequested, this, [this] {
        plot_->setOverlay({}, nullptr);
        diagnosis_->setShown(false);
    });
    connect(diagnosis_, &DiagnosisCard::separateRequested, this, &InspectorPanel::runTokens);
    connect(history_, &RunHistoryView::opened, this,
            [this](const SharedRun& run) { showRun(run, bar_->choice()); });
    connect(exports_, &ExportMenu::saved, this, [this](const QString& file) {
        Q_EMIT said(tr("Saved %1").arg(QFileInfo(file).fileName()));
    });
    connect(exports_, &ExportMenu::copied, this, [this] { Q_EMIT said(tr("Copied as Markdown")); });
    connect(exports_, &ExportMenu::failed, this, [this](const QString& message) {
        Q_EMIT failed(tr("The run could not be exported"), message);
    });
}

void InspectorPanel::connectThread() {
    connect(thread_, &InspectionThread::progressed, this, [this](const InspectionProgress& step) {
        if (pending_.contains(step.id)) bar_->showProgress(step.what, step.fraction);
    });
    connect(thread_, &InspectionThread::finished, this, &InspectorPanel::takeFinished);
    connect(thread_, &InspectionThread::reopened, this, [this](const ReopenedStep& step) {
        if (pending_.remove(step.id)) drill_down_->showStep(step.step);
    });
    connect(thread_, &InspectionThread::failed, this, [this](const FailedInspection& failure) {
        takeFailed(failure.id, failure.message, false);
    });
    connect(thread_, &InspectionThread::cancelled, this, [this](const CancelledInspection& end) {
        takeFailed(end.id, tr("It was cancelled."), true);
    });
}

void InspectorPanel::setModel(const std::weak_ptr<const Model>& model) {
    const bool same = !model_.owner_before(model) && !model.owner_before(model_);
    if (same && has_model_) return;
    model_ = model;
    // What still runs is the other model's: nobody waits for it any more.
    if (!pending_.isEmpty()) thread_->cancel();
    pending_.clear();
    bar_->setRunning(false);
    // Held for the moment of a copy: it is the engine that keeps and frees the model.
    const std::shared_ptr<const Model> opened = model.lock();
    has_model_ = opened != nullptr;
    bar_->setModel(opened ? &opened->config : nullptr);
    shown_.reset();
    history_->runs()->clear();
    drill_down_->setRun(nullptr);
    diagnosis_->setRun(nullptr);
    exports_->setRun(nullptr);
    plot_->setComparison(nullptr);
    result_->hide();
    showFigures(false);
    has_model_ ? welcome_->showReady() : welcome_->showNoModel();
}

void InspectorPanel::setConversation(std::function<QVector<ChatEntry>()> conversation) {
    conversation_ = std::move(conversation);
    refreshConversation();
}

void InspectorPanel::refreshConversation() {
    const QVector<ChatEntry> said_so_far = conversation_ ? conversation_() : QVector<ChatEntry>();
    const bool any = std::any_of(said_so_far.begin(), said_so_far.end(), [](const auto& entry) {
        return entry.role == QLatin1String("user");
    });
    bar_->setHasConversation(any);
}

void InspectorPanel::run() {
    if (isRunning() || !has_model_) return;
    const RunChoice choice = bar_->choice();
    InspectionRequest request;
    request.model = model_;
    request.decode_steps = choice.decode_steps;
    request.candidate = choice.candidate;
    request.candidate.isolation = isolation_;
    request.reference = choice.reference.toStdString();
    Pending pending{Purpose::run, tr("“Hello”"), {}};
    if (choice.prompt == PromptKind::hello) request.prompts << QStringLiteral("Hello");
    if (choice.prompt == PromptKind::text) {
        request.prompts << choice.text;
        pending.prompt = choice.text;
    }
    if (choice.prompt == PromptKind::conversation) {
        request.prompts << conversation_();
        pending.prompt = tr("this conversation");
    }
    start(request, pending);
}

void InspectorPanel::runTokens(int count) {
    if (!shown_ || isRunning()) return;
    // Of many kinds: a fault that takes one row for another is hidden where the two are equal.
    InspectionRequest request = shown_->result.request;
    request.prompts = {SamplePrompt{count}};
    start(request, {Purpose::run, tr("%1 tokens").arg(count), {}});
}

void InspectorPanel::showMe(const FaultSpec& fault) {
    if (!shown_ || isRunning()) return;
    InspectionRequest request = shown_->result.request;
    request.candidate = {request.reference, fault};
    const QString name = tr("%1 planted").arg(QString::fromStdString(fault.name));
    start(request, {Purpose::show_me, shown_->prompt, name});
}

void InspectorPanel::reopen(const Divergence& where) {
    if (!shown_) return;
    pending_.insert(thread_->reopen(shown_->result.request, where), {Purpose::reopen, {}, {}});
}

void InspectorPanel::start(const InspectionRequest& request, const Pending& pending) {
    Pending started = pending;
    started.choice = bar_->choice();
    pending_.insert(thread_->inspect(request), started);
    bar_->setRunning(true);
    diagnosis_->setBusy(true);
    if (pending.purpose == Purpose::show_me) return;
    const QString candidate = QFileInfo(QString::fromStdString(request.candidate.text)).fileName();
    result_->show();
    result_->tell(
        ResultLine::State::running,
        tr("Comparing %1 with %2…").arg(candidate, QString::fromStdString(request.reference)));
    if (!shown_) welcome_->showRunning();
}

bool InspectorPanel::isRunning() const {
    return std::any_of(pending_.begin(), pending_.end(),
                       [](const Pending& each) { return each.purpose != Purpose::reopen; });
}

void InspectorPanel::takeFinished(const FinishedInspection& result) {
    if (!pending_.contains(result.id)) return;
    const Pending pending = pending_.take(result.id);
    bar_->setRunning(isRunning());
    diagnosis_->setBusy(isRunning());
    if (pending.purpose == Purpose::run) return keepRun(result, pending.prompt, pending.choice);
    plot_->setOverlay(pending.overlay, {result.inspection, &result.inspection->comparison});
    diagnosis_->setShown(true);
}

void InspectorPanel::takeFailed(InspectionId id, const QString& message, bool cancelled) {
    if (!pending_.contains(id)) return;
    const Pending pending = pending_.take(id);
    bar_->setRunning(isRunning());
    diagnosis_->setBusy(isRunning());
    if (pending.purpose == Purpose::reopen) return drill_down_->showStepFailed(message);
    if (pending.purpose == Purpose::show_me) {
        if (!cancelled) Q_EMIT failed(tr("The fault could not be shown"), message);
        return;
    }
    if (cancelled && shown_) return showRun(shown_, choice_of_shown_);
    if (cancelled) {
        result_->hide();
        return welcome_->showReady();
    }
    result_->tell(ResultLine::State::failed, message);
    welcome_->showFailed(message, shown_ != nullptr);
    showFigures(false);
}

void InspectorPanel::showResult(const FinishedInspection& result, const QString& prompt) {
    if (!result.inspection) {
        if (!isRunning() && has_model_) start(result.request, {Purpose::run, prompt, {}});
        return;
    }
    keepRun(result, prompt, bar_->choice());
}

void InspectorPanel::keepRun(const FinishedInspection& result, const QString& prompt,
                             const RunChoice& choice) {
    if (const int row = history_->runs()->rowOf(*result.inspection); row >= 0)
        return showRun(history_->runs()->at(row), choice);
    auto run = std::make_shared<InspectionRun>();
    run->number = ++runs_so_far_;
    run->when = QDateTime::currentDateTime();
    run->prompt = prompt;
    run->result = result;
    history_->runs()->add(run);
    showRun(run, choice);
}

void InspectorPanel::showRun(const SharedRun& run, const RunChoice& choice) {
    if (!run) return;
    shown_ = run;
    choice_of_shown_ = choice;
    result_->show();
    result_->tell(run->inspection());
    markEarlier();
    exports_->setRun(run);
    drill_down_->setRun(run);
    diagnosis_->setRun(run);
    diagnosis_->setBusy(isRunning());
    plot_->setComparison(run->sharedComparison());
    showFigures(true);
    plot_->selectFirst();
}

void InspectorPanel::markEarlier() {
    if (!shown_ || isRunning() || result_->state() == ResultLine::State::failed) return;
    result_->setEarlier(bar_->choice() != choice_of_shown_);
}

void InspectorPanel::showFigures(bool figures) {
    stack_->setCurrentWidget(figures ? static_cast<QWidget*>(splitter_) : welcome_);
}

void InspectorPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool wide = width() > fontMetrics().averageCharWidth() * wide_ems * 2;
    const Qt::Orientation wanted = wide ? Qt::Horizontal : Qt::Vertical;
    if (splitter_->orientation() == wanted) return;
    splitter_->setOrientation(wanted);
    splitter_->setSizes(wide ? QList<int>{width() / 2, width() / 2} : QList<int>{2000, 3000});
}

}  // namespace lockstep
