// SPDX-License-Identifier: GPL-3.0-or-later
// What the program is, and every shortcut.
#pragma once

#include <QDialog>

class QAction;

namespace lockstep {

class HelpDialog : public QDialog {
    Q_OBJECT
  public:
    HelpDialog(const QList<QAction*>& actions, QWidget* parent);
};

}  // namespace lockstep
