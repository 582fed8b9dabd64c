// SPDX-License-Identifier: GPL-3.0-or-later
// A run that came to an end, as the panel keeps it.
#pragma once

#include <QDateTime>

#include "ui/inspector/inspection_types.h"

namespace lockstep {

struct InspectionRun {
    int number = 0;  // counts from 1
    QDateTime when;
    QString prompt;  // what was chosen: “Hello”, "this conversation", or the text
    FinishedInspection result;

    const Inspection& inspection() const { return *result.inspection; }
    const Comparison& comparison() const { return result.inspection->comparison; }
    // Of the comparison; keeps the inspection alive.
    std::shared_ptr<const Comparison> sharedComparison() const {
        return {result.inspection, &result.inspection->comparison};
    }
    // The step of the first divergence; null where there is none.
    std::shared_ptr<const StepCase> sharedStep() const {
        if (!result.inspection->step) return nullptr;
        return {result.inspection, &*result.inspection->step};
    }
};

using SharedRun = std::shared_ptr<const InspectionRun>;

}  // namespace lockstep
