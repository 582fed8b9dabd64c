// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/theme.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QDBusVariant>
#include <QToolTip>

#include "ui/theme/colors.h"
#include "ui/theme/style.h"

namespace lockstep {
namespace {

const auto portal_service = QStringLiteral("org.freedesktop.portal.Desktop");
const auto portal_path = QStringLiteral("/org/freedesktop/portal/desktop");
const auto portal_settings = QStringLiteral("org.freedesktop.portal.Settings");
const auto appearance = QStringLiteral("org.freedesktop.appearance");
const auto color_scheme = QStringLiteral("color-scheme");
constexpr uint prefers_dark = 1;

}  // namespace

QString themeChoiceName(ThemeChoice choice) {
    switch (choice) {
        case ThemeChoice::light:
            return QStringLiteral("light");
        case ThemeChoice::dark:
            return QStringLiteral("dark");
        case ThemeChoice::system:
            break;
    }
    return QStringLiteral("system");
}

ThemeChoice themeChoiceFromName(const QString& name) {
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark})
        if (themeChoiceName(choice) == name) return choice;
    return ThemeChoice::system;
}

Theme::Theme(QObject* parent)
    : QObject(parent), platform_dark_(isDark(QGuiApplication::palette())) {
    QApplication::setStyle(new Style);
    askPortal();
    apply();
}

void Theme::setChoice(ThemeChoice choice) {
    if (choice == choice_) return;
    choice_ = choice;
    apply();
}

bool Theme::dark() const {
    if (choice_ == ThemeChoice::system) return portal_dark_.value_or(platform_dark_);
    return choice_ == ThemeChoice::dark;
}

void Theme::askPortal() {
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (!bus.isConnected()) return;
    bus.connect(portal_service, portal_path, portal_settings, QStringLiteral("SettingChanged"),
                this, SLOT(portalSettingChanged(QString, QString, QDBusVariant)));
    QDBusMessage read = QDBusMessage::createMethodCall(portal_service, portal_path, portal_settings,
                                                       QStringLiteral("Read"));
    read << appearance << color_scheme;
    auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(read, 2000), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this,
            [this](QDBusPendingCallWatcher* call) {
                call->deleteLater();
                const QDBusPendingReply<QDBusVariant> reply = *call;
                if (reply.isValid()) setSystemPreference(reply.value().variant());
            });
}

void Theme::portalSettingChanged(const QString& group, const QString& key,
                                 const QDBusVariant& value) {
    if (group == appearance && key == color_scheme) setSystemPreference(value.variant());
}

void Theme::setSystemPreference(const QVariant& value) {
    // Read wraps its answer twice, SettingChanged once.
    const QVariant inner =
        value.canConvert<QDBusVariant>() ? value.value<QDBusVariant>().variant() : value;
    bool number = false;
    const uint preference = inner.toUInt(&number);
    if (!number) return;
    portal_dark_ = preference == prefers_dark;
    if (choice_ == ThemeChoice::system) apply();
}

void Theme::apply() {
    const QPalette palette = dark() ? darkPalette() : lightPalette();
    QApplication::setPalette(palette);
    QToolTip::setPalette(palette);
    Q_EMIT changed();
}

}  // namespace lockstep
