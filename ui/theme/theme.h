// SPDX-License-Identifier: GPL-3.0-or-later
// Which palette the application wears. Qt 6.4 does not tell what the desktop prefers: the XDG
// desktop portal is asked for it, and where there is none the platform's own palette.
#pragma once

#include <QObject>
#include <QPalette>
#include <QString>
#include <QVariant>
#include <optional>

class QDBusVariant;

namespace lockstep {

enum class ThemeChoice { system, light, dark };
QString themeChoiceName(ThemeChoice choice);  // "system", ...: as settings keep it
ThemeChoice themeChoiceFromName(const QString& name);

class Theme : public QObject {
    Q_OBJECT
  public:
    // Takes the platform's palette for its own question before it changes anything, and sets the
    // style. Make one, after the QApplication.
    explicit Theme(QObject* parent = nullptr);

    void setChoice(ThemeChoice choice);
    ThemeChoice choice() const { return choice_; }
    bool dark() const;

  Q_SIGNALS:
    void changed();

  private Q_SLOTS:
    void portalSettingChanged(const QString& group, const QString& key, const QDBusVariant& value);

  private:
    void askPortal();
    void setSystemPreference(const QVariant& value);
    void apply();

    ThemeChoice choice_ = ThemeChoice::system;
    bool platform_dark_ = false;
    std::optional<bool> portal_dark_;
};

}  // namespace lockstep
