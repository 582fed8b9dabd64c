// SPDX-License-Identifier: GPL-3.0-or-later
// On the first use of a path with a model, compares it with the reference on a few short prompts,
// in the background, and says what it found. While a path of the choice is known to diverge and
// nobody has said to use it anyway, the reference is in use instead.
#pragma once

#include <QObject>
#include <map>
#include <optional>

#include "ui/check/check_store.h"
#include "ui/inspector/inspection_types.h"

namespace lockstep {

class InspectionThread;

struct PathCheckOptions {
    std::optional<FaultSpec> planted = {};  // for tests: a fault in what is checked as "fused"
    IsolationOptions isolation = {};        // of the user's kernels
};

class PathCheck : public QObject {
    Q_OBJECT
  public:
    PathCheck(SettingsStore* store, PathCheckOptions options, QObject* parent = nullptr);

    // The engine's model and the user's choice; what is not known of them is checked.
    void setModel(const LoadedModel& model);
    void setChoice(const PathChoice& choice);
    // The file of a user's kernels, whether it is in the choice or not; empty for none. It is
    // checked with each model and at each start anew, in a child process.
    void setKernel(const QString& file);
    // An answer is being made: a check waits for its end.
    void setBusy(bool busy);
    void checkAgain();

    // What the engine is to use: the choice; ours where the user's kernels have not passed (yet);
    // the reference where a path is known to diverge.
    PathChoice inUse() const;
    bool fallsBack() const;
    // Uses what diverges all the same (or no longer); remembered for the model. Not for a user's
    // kernels.
    void useAnyway(bool anyway = true);

    // Of the paths in use the one that most is to be said of; State::unknown where nothing is (the
    // reference needs no check).
    CheckedPath result() const;
    // Where a path is not what the reference is, whether it is used anyway or not; or empty.
    QString divergesAt() const { return result().partsIn(settled()); }
    // "fused matches", "fused diverges: layer 3 qkv", "checking fused …"; or empty.
    QString summary() const;
    CheckedPath kernel() const { return known(kernel_); }  // the user's
    // The run behind result(), or the user's kernels'. One of an earlier start has no inspection,
    // only the request.
    FinishedInspection lastRun() const { return runOf(result().path); }
    FinishedInspection kernelRun() const { return runOf(kernel_); }

    void cancel();
    bool shutDown();  // see InspectionThread

  Q_SIGNALS:
    void changed();
    void kernelChecked();

  private:
    // The choice, less the user's kernels where they have not passed; they are named by their file.
    PathChoice settled() const;
    QStringList pathsToCheck() const;
    const CheckedPath& known(const QString& path) const;
    void checkWhatIsUnknown();
    InspectionRequest requestFor(const QString& path) const;
    FinishedInspection runOf(const QString& path) const;
    void take(const FinishedInspection& run);
    void takeFailure(const FailedInspection& failure);
    void endCheck(const CheckedPath& checked);

    CheckStore kept_;
    PathCheckOptions options_;
    InspectionThread* thread_;
    LoadedModel model_;
    PathChoice choice_{"reference"};
    QString kernel_;
    std::shared_ptr<const UserKernel> passed_;    // in this process
    std::map<QString, CheckedPath> known_;        // by path, of model_
    std::map<QString, FinishedInspection> runs_;  // of this start
    InspectionId running_ = 0;
    QString running_path_;
};

// What a path is called: of a file only its own name.
QString shownPath(const QString& path);

}  // namespace lockstep
