// SPDX-License-Identifier: GPL-3.0-or-later
// A run as files and text for others: the plot as a picture, the figures as JSON, one page of HTML,
// some lines of Markdown. Files are written under another name first: nothing half-written stays.
#pragma once

#include <QString>

#include "kernels/status.h"
#include "ui/inspector/inspection_run.h"

namespace lockstep {

class DivergencePlot;

// By the name's ending: .png, .svg or .pdf. The run's sentence stands above the curves.
Status exportPlot(DivergencePlot& plot, const QString& sentence, const QString& file);
Status exportJson(const InspectionRun& run, const QString& file);
Status exportHtml(const InspectionRun& run, const QString& file);
QString markdownText(const InspectionRun& run);

}  // namespace lockstep
