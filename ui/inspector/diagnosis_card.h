// SPDX-License-Identifier: GPL-3.0-or-later
// Why the paths part: the cause, the evidence for it, what was excluded, and two things to try:
// the named fault planted in the reference, and, where causes can't be told apart, the input that
// would.
#pragma once

#include <QWidget>

#include "ui/inspector/inspection_run.h"

class QLabel;
class QPushButton;
class QStandardItemModel;
class QTableView;

namespace lockstep {

class DiagnosisCard : public QWidget {
    Q_OBJECT
  public:
    explicit DiagnosisCard(QWidget* parent = nullptr);

    void setRun(SharedRun run);  // null: nothing to explain
    // While one runs, no other can be asked for.
    void setBusy(bool busy);
    // "Show me" is a switch: on once the fault's curve is drawn.
    void setShown(bool shown);
    QString title() const;

  Q_SIGNALS:
    void showMeRequested(const lockstep::FaultSpec& fault);
    void hideRequested();
    void separateRequested(int tokens);

  private:
    void showNothing(const QString& title, const QString& text);
    void showUnseen(const QString& text);  // of a planted fault
    void showDiagnosis(const Diagnosis& diagnosis);
    void fillExcluded(const Diagnosis& diagnosis);
    void showButtons();
    bool isTrace() const;  // of one prompt: it can't be run on another input
    // The length of a prompt that tells more than the run's; 0 where none is known.
    int tokensToRun() const;
    // The cause that "show me" plants; null where none of them is in the catalogue.
    const Cause* plantable() const;

    SharedRun run_;
    bool busy_ = false, shown_ = false;
    QLabel *title_, *summary_, *evidence_, *pattern_, *excluded_title_;
    QPushButton *show_me_, *separate_;
    QTableView* excluded_;
    QStandardItemModel* excluded_model_;
};

}  // namespace lockstep
