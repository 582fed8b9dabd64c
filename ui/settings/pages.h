// SPDX-License-Identifier: GPL-3.0-or-later
// The four pages of the settings dialog.
#pragma once

#include "ui/settings/settings_page.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QRadioButton;

namespace lockstep {

// Fused kernels as a whole, and each of the seven steps.
class KernelsPage : public SettingsPage {
    Q_OBJECT
  public:
    explicit KernelsPage(SettingsStore* store);
    QString title() const override { return tr("Kernels"); }
    QString icon() const override { return QStringLiteral("layers"); }

  protected:
    void showValues(const Settings& values) override;

  private:
    void showPathState();

    QCheckBox *truth_, *own_;
    QLabel* own_state_;
    std::array<QCheckBox*, step_count> steps_{};
    QLabel* in_use_;
};

class SamplingPage : public SettingsPage {
    Q_OBJECT
  public:
    explicit SamplingPage(SettingsStore* store);
    QString title() const override { return tr("Sampling"); }
    QString icon() const override { return QStringLiteral("sampling"); }

  protected:
    void showValues(const Settings& values) override;

  private:
    QSpinBox* seed_;
    QPlainTextEdit* stop_strings_;
};

// Device, dtype, context, threads and where models are.
class EnginePage : public SettingsPage {
    Q_OBJECT
  public:
    explicit EnginePage(SettingsStore* store);
    QString title() const override { return tr("Model"); }
    QString icon() const override { return QStringLiteral("model"); }

  protected:
    void showValues(const Settings& values) override;

  private:
    void chooseFolder();
    void showDevices();

    QComboBox* device_;
    QLabel* device_problem_;
    QComboBox* dtype_;
    QSpinBox* context_;
    QSpinBox* threads_;
    QLineEdit* folder_;
};

class AppearancePage : public SettingsPage {
    Q_OBJECT
  public:
    explicit AppearancePage(SettingsStore* store);
    QString title() const override { return tr("Appearance"); }
    QString icon() const override { return QStringLiteral("theme"); }

  protected:
    void showValues(const Settings& values) override;

  private:
    std::array<QRadioButton*, 3> themes_{};
};

}  // namespace lockstep
