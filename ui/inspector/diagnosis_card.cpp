// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/diagnosis_card.h"

#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QStandardItemModel>
#include <QTableView>
#include <QVBoxLayout>

#include "core/inspect/candidate.h"
#include "core/inspect/fault.h"
#include "core/inspect/report.h"
#include "ui/inspector/figure_table.h"
#include "ui/inspector/figures.h"
#include "ui/inspector/flow_layout.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

using Parameters = decltype(Cause::parameters);

QString fromStd(const std::string& text) {
    return QString::fromStdString(text);
}

bool isUnknown(const Diagnosis& diagnosis) {
    return diagnosis.causes.empty() || diagnosis.causes.front().cause == "unknown";
}

QString titleText(const Diagnosis& diagnosis) {
    if (isUnknown(diagnosis)) return DiagnosisCard::tr("Cause: unknown");
    QStringList names;
    for (const Cause& cause : diagnosis.causes) names << fromStd(cause.cause);
    // Without an input that would separate them, each explains what the others do not.
    const bool any_of_them = !diagnosis.would_separate.empty();
    return DiagnosisCard::tr("Cause: %1")
        .arg(names.join(any_of_them ? DiagnosisCard::tr(" or ") : DiagnosisCard::tr(" and ")));
}

// What the fault does, how much it explains, and how far the next best is.
QString causeText(const Cause& cause) {
    const FaultInfo* fault = find_fault(cause.cause);
    QStringList said;
    if (!cause.what.empty())
        said << fromStd(cause.what);
    else if (fault)
        said << toText(fault->summary);
    for (const auto& [name, value] : cause.what.empty() ? cause.parameters : Parameters())
        said << QStringLiteral("%1 = %2").arg(fromStd(name), fromStd(value));
    const QString text = said.join(QStringLiteral("; "));
    return DiagnosisCard::tr(
               "%1. It explains %2 of the error; the next best fault explains %3. "
               "Confidence: %4.")
        .arg(text, shareText(cause.explained), shareText(cause.next_best),
             fromStd(cause.confidence));
}

// Tokens that show a planted fault which changes nothing on the run's own; 0 where none are known.
int showingTokens(const Comparison& comparison) {
    const bool known = comparison.planted && !comparison.planted->shows_with().empty();
    return known ? separating_tokens : 0;
}

// separable: the candidate can be run on the input that tells them apart.
QString separationText(const Diagnosis& diagnosis, bool separable) {
    const QString input = fromStd(diagnosis.would_separate);
    if (diagnosis.separating_tokens == 0)
        return DiagnosisCard::tr("On these inputs they put out the same. To tell them apart: %1.")
            .arg(input);
    return (separable ? DiagnosisCard::tr("On these inputs they put out the same; %1 tells them "
                                          "apart.")
                      : DiagnosisCard::tr("On these inputs they put out the same. To tell them "
                                          "apart, capture a trace of %1."))
        .arg(input);
}

QString summaryText(const Diagnosis& diagnosis, bool separable) {
    if (isUnknown(diagnosis))
        return DiagnosisCard::tr(
            "None of the faults that are known here reproduces what the "
            "candidate puts out. The error's pattern may tell more.");
    QStringList texts;
    for (const Cause& cause : diagnosis.causes) texts << causeText(cause);
    if (!diagnosis.would_separate.empty()) texts << separationText(diagnosis, separable);
    return texts.join(QStringLiteral("\n\n"));
}

QString patternText(const ErrorPattern& pattern) {
    QStringList parts;
    const auto add = [&parts](const QString& name, const std::string& value) {
        if (!value.empty()) parts << QStringLiteral("%1: %2").arg(name, fromStd(value));
    };
    add(DiagnosisCard::tr("tensor"), pattern.tensor);
    add(DiagnosisCard::tr("rows"), pattern.rows);
    add(DiagnosisCard::tr("heads"), pattern.heads);
    add(DiagnosisCard::tr("columns"), pattern.columns);
    add(DiagnosisCard::tr("sign"), pattern.sign);
    add(DiagnosisCard::tr("values"), pattern.values);
    parts << DiagnosisCard::tr("factor against truth: %1").arg(figureText(pattern.scale_factor));
    return DiagnosisCard::tr("The error's pattern: %1.").arg(parts.join(QStringLiteral(", ")));
}

QLabel* textLabel() {
    auto* label = new QLabel;
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

}  // namespace

DiagnosisCard::DiagnosisCard(QWidget* parent)
    : QWidget(parent),
      title_(headingLabel({}, 1.15)),
      summary_(textLabel()),
      evidence_(textLabel()),
      pattern_(mutedLabel({})),
      excluded_title_(headingLabel(tr("Excluded"), 1.0)),
      show_me_(new QPushButton),
      separate_(new QPushButton(tr("Run the &separating input"))),
      excluded_(makeFigureTable(tr("Faults that were tried and do not fit"))),
      excluded_model_(new QStandardItemModel(0, 3, this)) {
    setObjectName(QStringLiteral("diagnosis"));
    title_->setWordWrap(true);
    pattern_->setTextFormat(Qt::PlainText);
    excluded_->setModel(excluded_model_);
    for (QPushButton* button : {show_me_, separate_}) button->setAutoDefault(false);
    show_me_->setCheckable(true);
    show_me_->setText(tr("Show &me"));
    show_me_->setToolTip(tr("Plants that fault in the reference and draws its curve"));
    const int unit = fontMetrics().height();
    auto* buttons = new FlowLayout;
    buttons->setSpacing(unit / 2);
    buttons->addWidget(show_me_);
    buttons->addWidget(separate_);
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(unit / 2, unit / 2, unit / 2, unit / 2);
    column->setSpacing(unit / 2);
    for (QWidget* part : std::initializer_list<QWidget*>{title_, summary_, evidence_, pattern_})
        column->addWidget(part);
    column->addLayout(buttons);
    column->addSpacing(unit / 2);
    column->addWidget(excluded_title_);
    column->addWidget(excluded_, 1);
    column->addStretch();
    excluded_->setMinimumHeight(unit * 8);
    auto* scroll = new QScrollArea;
    scroll->setWidget(content);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->viewport()->setBackgroundRole(QPalette::Window);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(scroll);
    connect(show_me_, &QPushButton::clicked, this, [this](bool on) {
        show_me_->setChecked(shown_);  // until it is
        const Cause* cause = plantable();
        if (!on || !cause) return Q_EMIT hideRequested();
        Q_EMIT showMeRequested({cause->cause, run_->comparison().first->layer});
    });
    connect(separate_, &QPushButton::clicked, this,
            [this] { Q_EMIT separateRequested(tokensToRun()); });
    setRun(nullptr);
}

QString DiagnosisCard::title() const {
    return title_->text();
}

void DiagnosisCard::setRun(SharedRun run) {
    run_ = std::move(run);
    shown_ = false;
    if (!run_) return showNothing(tr("Nothing to explain yet"), tr("Run a comparison first."));
    const Inspection& inspection = run_->inspection();
    if (!inspection.comparison.first) {
        if (inspection.comparison.drift_unexplained)
            return showNothing(tr("No step is to blame"),
                               tr("Every step is right when it is given the reference's inputs. "
                                  "What differs is carried between steps, a row of the KV cache "
                                  "or a position, or it is the sum of small errors that all go "
                                  "the same way."));
        if (const std::string planted = planted_sentence(inspection.comparison); !planted.empty())
            return showUnseen(fromStd(planted));
        return showNothing(tr("Nothing to explain"),
                           tr("Every step stays within what the model's dtype costs anyone."));
    }
    if (!inspection.diagnosis)
        return showNothing(tr("No diagnosis"), tr("This step could not be replayed."));
    showDiagnosis(*inspection.diagnosis);
}

void DiagnosisCard::showNothing(const QString& title, const QString& text) {
    title_->setText(title);
    summary_->setText(text);
    for (QWidget* part : std::initializer_list<QWidget*>{evidence_, pattern_, excluded_title_,
                                                         excluded_, show_me_, separate_})
        part->hide();
}

void DiagnosisCard::showUnseen(const QString& text) {
    showNothing(tr("The planted fault does not show"), text);
    separate_->setText(tr("Run an input that &shows it"));
    showButtons();
}

void DiagnosisCard::showDiagnosis(const Diagnosis& diagnosis) {
    title_->setText(titleText(diagnosis));
    summary_->setText(summaryText(diagnosis, !isTrace()));
    QStringList evidence;
    for (const Cause& cause : diagnosis.causes)
        if (!cause.evidence.empty()) evidence << fromStd(cause.evidence);
    evidence_->setText(tr("Evidence: %1").arg(evidence.join(QLatin1Char('\n'))));
    evidence_->setVisible(!evidence.isEmpty());
    pattern_->setText(patternText(diagnosis.pattern));
    pattern_->show();
    fillExcluded(diagnosis);
    separate_->setText(tr("Run the &separating input"));
    showButtons();
}

void DiagnosisCard::fillExcluded(const Diagnosis& diagnosis) {
    excluded_model_->clear();
    excluded_model_->setHorizontalHeaderLabels(
        {tr("Fault"), tr("Explains"), tr("What it would compute")});
    for (const ExcludedCause& cause : diagnosis.excluded) {
        const FaultInfo* fault = find_fault(cause.cause);
        auto* share = new QStandardItem(shareText(cause.explained));
        share->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        auto* summary = new QStandardItem(fault ? toText(fault->summary) : QString());
        summary->setToolTip(summary->text());
        excluded_model_->appendRow({new QStandardItem(fromStd(cause.cause)), share, summary});
    }
    const bool any = !diagnosis.excluded.empty();
    excluded_title_->setVisible(any);
    excluded_->setVisible(any);
}

bool DiagnosisCard::isTrace() const {
    return trace_file(run_->result.request.candidate.text).has_value();
}

const Cause* DiagnosisCard::plantable() const {
    if (!run_ || !run_->inspection().diagnosis) return nullptr;
    for (const Cause& cause : run_->inspection().diagnosis->causes)
        if (find_fault(cause.cause)) return &cause;
    return nullptr;
}

void DiagnosisCard::setBusy(bool busy) {
    busy_ = busy;
    showButtons();
}

void DiagnosisCard::setShown(bool shown) {
    shown_ = shown;
    showButtons();
}

int DiagnosisCard::tokensToRun() const {
    if (!run_ || isTrace()) return 0;
    const auto& diagnosis = run_->inspection().diagnosis;
    if (!diagnosis) return showingTokens(run_->comparison());
    return diagnosis->causes.size() > 1 ? diagnosis->separating_tokens : 0;
}

void DiagnosisCard::showButtons() {
    const bool any = run_ && run_->inspection().diagnosis;
    show_me_->setVisible(any && plantable());
    show_me_->setChecked(shown_);
    show_me_->setEnabled(!busy_ || shown_);
    separate_->setVisible(tokensToRun() > 0);
    separate_->setEnabled(!busy_);
}

}  // namespace lockstep
