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

class PathCheck : public QObject {
    Q_OBJECT
  public:
    // planted: for tests, a fault in what is checked as "fused".
    PathCheck(SettingsStore* store, std::optional<FaultSpec> planted, QObject* parent = nullptr);

    // The engine's model and the user's choice; what is not known of them is checked.
    void setModel(const LoadedModel& model);
    void setChoice(const PathChoice& choice);
    // An answer is being made: a check waits for its end.
    void setBusy(bool busy);
    void checkAgain();

    // The choice, or the reference where a path of it is known to diverge.
    PathChoice inUse() const;
    bool fallsBack() const { return inUse() != choice_; }
    // Uses what diverges all the same (or no longer); remembered for the model.
    void useAnyway(bool anyway = true);

    // Of the paths in the choice the one that most is to be said of; State::unknown where nothing
    // is (the reference needs no check).
    CheckedPath result() const;
    // "fused matches", "fused diverges: layer 3 qkv", "checking fused …"; or empty.
    QString summary() const;
    // A path of the choice is not what the reference is, whether it is used anyway or not.
    bool diverges() const { return result().firstParted(choice_) != nullptr; }
    // The run behind result(). One of an earlier start has no inspection, only the request.
    FinishedInspection lastRun() const;

    void cancel();
    bool shutDown();  // see InspectionThread

  Q_SIGNALS:
    void changed();

  private:
    QStringList pathsOfChoice() const;
    const CheckedPath& known(const QString& path) const;
    void checkWhatIsUnknown();
    InspectionRequest requestFor(const QString& path) const;
    void take(const FinishedInspection& run);
    void forgetRunning(InspectionId id, const QString& why);

    CheckStore kept_;
    std::optional<FaultSpec> planted_;
    InspectionThread* thread_;
    LoadedModel model_;
    PathChoice choice_{"reference"};
    std::map<QString, CheckedPath> known_;        // by path, of model_
    std::map<QString, FinishedInspection> runs_;  // of this start
    InspectionId running_ = 0;
    QString running_path_;
};

}  // namespace lockstep
