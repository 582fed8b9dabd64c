// SPDX-License-Identifier: GPL-3.0-or-later
// Settings, applied as they are changed. It does not block the window: kernels can be switched
// while an answer runs.
#pragma once

#include <QDialog>

class QListWidget;
class QStackedWidget;

namespace lockstep {

class SettingsPage;
class SettingsStore;

class SettingsDialog : public QDialog {
    Q_OBJECT
  public:
    explicit SettingsDialog(SettingsStore* store, QWidget* parent = nullptr);
    void showPage(int index);
    int pageCount() const;

  private:
    void addPage(SettingsPage* page);
    void restoreDefaults();

    SettingsStore* store_;
    QListWidget* names_;
    QStackedWidget* pages_;
};

}  // namespace lockstep
