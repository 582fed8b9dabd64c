// SPDX-License-Identifier: GPL-3.0-or-later
// The inspector beside the chat: a dock that can be moved, undocked and closed.
#pragma once

#include <QDockWidget>

namespace lockstep {

class InspectionThread;
class InspectorPanel;

class InspectorDock : public QDockWidget {
    Q_OBJECT
  public:
    explicit InspectorDock(InspectionThread* thread, QWidget* parent = nullptr);
    InspectorPanel* panel() const { return panel_; }

  private:
    QWidget* makeTitle();
    InspectorPanel* panel_;
};

}  // namespace lockstep
