// SPDX-License-Identifier: GPL-3.0-or-later
// What earlier checks found, and what the user decided then, kept across starts in the settings'
// file: a path is checked once with a model, until the model's file, the numbers in memory, the
// device or the program itself changes.
#pragma once

#include <optional>

#include "ui/check/checked_path.h"
#include "ui/engine_types.h"
#include "ui/settings/settings.h"

namespace lockstep {

class CheckStore {
  public:
    explicit CheckStore(SettingsStore* store) : store_(store) {}

    std::optional<CheckedPath> find(const LoadedModel& model, const QString& path) const;
    void keep(const LoadedModel& model, const CheckedPath& checked);

    // "Use it anyway": for the model's file, whatever the program becomes.
    bool isOverruled(const LoadedModel& model, const QString& path) const;
    void setOverruled(const LoadedModel& model, const QString& path, bool overruled);

  private:
    SettingsStore* store_;
};

}  // namespace lockstep
