// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/settings/settings_page.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QScopedValueRollback>

#include "ui/theme/labels.h"

namespace lockstep {

SettingsPage::SettingsPage(SettingsStore* store) : store_(store), rows_(new QVBoxLayout(this)) {
    const int unit = fontMetrics().height();
    rows_->setContentsMargins(unit, unit, unit, unit);
    rows_->setSpacing(unit * 3 / 4);
}

void SettingsPage::refresh() {
    const QScopedValueRollback<bool> showing(showing_, true);
    for (const auto& show_row : shown_) show_row(store_->values());
    showValues(store_->values());
}

void SettingsPage::addHeading(const QString& text) {
    rows_->addWidget(headingLabel(text));
}

void SettingsPage::addText(const QString& text) {
    rows_->addWidget(mutedLabel(text));
}

void SettingsPage::addSpace() {
    rows_->addSpacing(fontMetrics().height() / 2);
}

void SettingsPage::addRow(const QString& title, const QString& explanation, QWidget* control,
                          bool wide) {
    auto* row = new QGridLayout;
    row->setHorizontalSpacing(fontMetrics().height());
    row->setVerticalSpacing(2);
    auto* label = new QLabel(title);
    label->setBuddy(control);
    row->addWidget(label, 0, 0);
    QLabel* text = nullptr;
    if (!explanation.isEmpty()) {
        text = mutedLabel(explanation);
        row->addWidget(text, 1, 0);
    }
    if (wide)
        row->addWidget(control, 2, 0);
    else
        row->addWidget(control, 0, 1, text ? 2 : 1, 1, Qt::AlignRight | Qt::AlignVCenter);
    row->setColumnStretch(0, 1);
    // Of one width, as far as their texts allow it.
    if (qobject_cast<QAbstractSpinBox*>(control) || qobject_cast<QComboBox*>(control))
        control->setMinimumWidth(fontMetrics().height() * 8);
    QString name = title;
    control->setAccessibleName(name.remove(QLatin1Char('&')));
    control->setAccessibleDescription(explanation);
    rows_->addLayout(row);
}

QCheckBox* SettingsPage::addSwitch(const QString& title, const QString& explanation,
                                   bool Settings::*field) {
    auto* control = new QCheckBox;
    control->setProperty("switch", true);
    addRow(title, explanation, control);
    connect(control, &QCheckBox::toggled, this,
            [this, field](bool on) { edit([&](Settings& s) { s.*field = on; }); });
    shown_.push_back([control, field](const Settings& s) { control->setChecked(s.*field); });
    return control;
}

QDoubleSpinBox* SettingsPage::addNumber(const QString& title, const QString& explanation,
                                        double Settings::*field, double low, double high,
                                        double step) {
    auto* control = new QDoubleSpinBox;
    control->setRange(low, high);
    control->setSingleStep(step);
    control->setDecimals(2);
    addRow(title, explanation, control);
    connect(control, &QDoubleSpinBox::valueChanged, this,
            [this, field](double value) { edit([&](Settings& s) { s.*field = value; }); });
    shown_.push_back([control, field](const Settings& s) { control->setValue(s.*field); });
    return control;
}

QSpinBox* SettingsPage::addInteger(const QString& title, const QString& explanation,
                                   int Settings::*field, int high, const QString& zero_means) {
    auto* control = new QSpinBox;
    control->setRange(0, high);
    control->setSpecialValueText(zero_means);
    control->setGroupSeparatorShown(true);
    addRow(title, explanation, control);
    connect(control, &QSpinBox::valueChanged, this,
            [this, field](int value) { edit([&](Settings& s) { s.*field = value; }); });
    shown_.push_back([control, field](const Settings& s) { control->setValue(s.*field); });
    return control;
}

}  // namespace lockstep
