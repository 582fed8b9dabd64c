// SPDX-License-Identifier: GPL-3.0-or-later
// What the pages of the settings dialog share: rows of a title, an explanation and a control, shown
// from the store and written to it at once.
#pragma once

#include <QVBoxLayout>
#include <QWidget>

#include "ui/settings/settings.h"

class QCheckBox;
class QDoubleSpinBox;
class QSpinBox;

namespace lockstep {

class SettingsPage : public QWidget {
    Q_OBJECT
  public:
    explicit SettingsPage(SettingsStore* store);
    virtual QString title() const = 0;
    virtual QString icon() const = 0;
    // Called by the dialog as it opens and whenever the store changes.
    void refresh();

  protected:
    virtual void showValues(const Settings& values) = 0;

    // Changes the stored settings; does nothing while values are being shown.
    template <class Change>
    void edit(Change&& change) {
        if (showing_) return;
        Settings values = store_->values();
        change(values);
        store_->set(values);
    }

    void addHeading(const QString& text);
    void addText(const QString& text);
    void addSpace();
    // The control at the right of its title, or beneath them where it is wide.
    void addRow(const QString& title, const QString& explanation, QWidget* control,
                bool wide = false);
    QCheckBox* addSwitch(const QString& title, const QString& explanation, bool Settings::*field);
    QDoubleSpinBox* addNumber(const QString& title, const QString& explanation,
                              double Settings::*field, double low, double high, double step);
    QSpinBox* addInteger(const QString& title, const QString& explanation, int Settings::*field,
                         int high, const QString& zero_means);
    QVBoxLayout* rows() const { return rows_; }
    SettingsStore* store() const { return store_; }

  private:
    SettingsStore* store_;
    QVBoxLayout* rows_;
    bool showing_ = false;
    std::vector<std::function<void(const Settings&)>> shown_;  // of the rows made here
};

}  // namespace lockstep
