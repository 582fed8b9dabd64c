// SPDX-License-Identifier: GPL-3.0-or-later
// What is compared: on which prompt, which candidate, against which reference, with which fault
// planted; run, cancel, and how far it is.
#pragma once

#include <QWidget>
#include <optional>

#include "core/inspect/candidate.h"
#include "core/model/config.h"

class QComboBox;
class QFrame;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;
class QSpinBox;
class QToolButton;

namespace lockstep {

class FaultMenu;

enum class PromptKind { hello, conversation, text };

struct RunChoice {
    PromptKind prompt = PromptKind::hello;
    QString text;  // of PromptKind::text
    CandidateSpec candidate;
    QString reference;
    int decode_steps = 0;

    // Whether the two ask for the same run.
    bool operator==(const RunChoice& other) const;
};

class RunBar : public QWidget {
    Q_OBJECT
  public:
    explicit RunBar(QWidget* parent = nullptr);

    RunChoice choice() const;
    // Null: no model is in use, nothing can run.
    void setModel(const ModelConfig* config);
    void setHasConversation(bool has);
    void setRunning(bool running);
    bool isRunning() const { return running_; }
    void showProgress(const QString& what, double fraction);

    // The candidate named so; one that is not known yet (a user's kernel) is added.
    void setCandidate(const QString& text);
    void addCandidate(const QString& text);  // to what may be chosen
    void plant(const FaultSpec& fault);
    void removeFault();
    const std::optional<FaultSpec>& fault() const { return fault_; }
    FaultMenu* faultMenu() const { return faults_; }
    QPushButton* runButton() const { return run_; }

  Q_SIGNALS:
    void runRequested();
    void cancelRequested();
    void changed();  // something else may have been chosen
    // A shared object was chosen by "Load kernel…"; it is the candidate now.
    void kernelLoaded(const QString& file);

  private:
    void makeParts();
    QWidget* group(std::initializer_list<QWidget*> controls);
    QLayout* layOutControls();
    QFrame* makeFaultBanner();
    void chooseFault(const QString& name);
    void loadKernel();
    void openTrace();
    void showFault();
    void refresh();

    std::optional<ModelConfig> config_;
    std::optional<FaultSpec> fault_;
    bool running_ = false;

    QComboBox *prompt_, *candidate_, *reference_;
    QLineEdit* text_;
    QSpinBox *decode_, *layer_;
    QToolButton *load_, *plant_;
    QPushButton *run_, *cancel_, *remove_;
    QProgressBar* bar_;
    QLabel *progress_, *fault_text_, *layer_label_;
    QFrame* banner_;
    FaultMenu* faults_;
};

}  // namespace lockstep
