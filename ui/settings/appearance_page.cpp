// SPDX-License-Identifier: GPL-3.0-or-later
#include <QRadioButton>

#include "ui/settings/pages.h"

namespace lockstep {

AppearancePage::AppearancePage(SettingsStore* store) : SettingsPage(store) {
    addHeading(tr("Appearance"));
    addText(tr("Theme"));
    const std::array<QString, 3> names{tr("As the &system"), tr("&Light"), tr("&Dark")};
    for (size_t i = 0; i < names.size(); ++i) {
        themes_[i] = new QRadioButton(names[i]);
        rows()->addWidget(themes_[i]);
        connect(themes_[i], &QRadioButton::toggled, this, [this, i](bool on) {
            if (on) edit([&](Settings& s) { s.theme = static_cast<ThemeChoice>(i); });
        });
    }
    rows()->addStretch();
}

void AppearancePage::showValues(const Settings& values) {
    themes_[size_t(values.theme)]->setChecked(true);
}

}  // namespace lockstep
