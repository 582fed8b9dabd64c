// SPDX-License-Identifier: GPL-3.0-or-later
// The ways out of the panel: a picture, JSON, an HTML page, Markdown on the clipboard.
#pragma once

#include <QToolButton>

#include "ui/inspector/inspection_run.h"

namespace lockstep {

class DivergencePlot;

class ExportMenu : public QToolButton {
    Q_OBJECT
  public:
    explicit ExportMenu(DivergencePlot* plot, QWidget* parent = nullptr);

    void setRun(SharedRun run);
    // By the name's ending: .png, .svg and .pdf are the plot, .json and .html the run. False where
    // it could not be written; failed() has said why.
    bool saveAs(const QString& file);
    void copyMarkdown();

  Q_SIGNALS:
    void saved(const QString& file);
    void copied();
    void failed(const QString& message);

  private:
    void ask(const QString& title, const QString& filter, const QString& suffix);

    DivergencePlot* plot_;
    SharedRun run_;
};

}  // namespace lockstep
