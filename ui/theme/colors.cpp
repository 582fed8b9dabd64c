// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/colors.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

ThemeColors makeLightColors() {
    ThemeColors c;
    c.accent = QColor("#2f5fd0");
    c.on_accent = QColor("#ffffff");
    c.muted = QColor("#57606a");
    c.separator = QColor("#dde1e6");
    c.control = QColor("#7f8894");
    c.hover = QColor("#e8ebf0");
    c.pressed = QColor("#dbe0e8");
    c.user_message = QColor("#e3eafa");
    c.code = QColor("#f1f3f6");
    c.success = QColor("#17713a");
    c.warning = QColor("#855600");
    c.error = QColor("#b3261e");
    c.warning_background = QColor("#fdf3dc");
    c.error_background = QColor("#fdecea");
    c.drift = QColor("#0072b2");
    c.local = QColor("#cc5500");
    c.noise_floor = QColor("#6b7280");
    c.overlay = QColor("#12121c");
    c.error_scale = {QColor("#fdeedb"), QColor("#f9c28a"), QColor("#e8833a"), QColor("#b04a08"),
                     QColor("#4f1d00")};
    return c;
}

ThemeColors makeDarkColors() {
    ThemeColors c;
    c.accent = QColor("#7aa5ff");
    c.on_accent = QColor("#0b1428");
    c.muted = QColor("#a3abb6");
    c.separator = QColor("#32373f");
    c.control = QColor("#747d89");
    c.hover = QColor("#2b3037");
    c.pressed = QColor("#363c45");
    c.user_message = QColor("#25324d");
    c.code = QColor("#22262c");
    c.success = QColor("#62cc7f");
    c.warning = QColor("#f0b94c");
    c.error = QColor("#ff8f85");
    c.warning_background = QColor("#3a3018");
    c.error_background = QColor("#43221f");
    c.drift = QColor("#56b4e9");
    c.local = QColor("#ff9a3d");
    c.noise_floor = QColor("#9aa3ae");
    c.overlay = QColor("#f4f5f7");
    c.error_scale = {QColor("#2b2016"), QColor("#7a3b0c"), QColor("#d96a16"), QColor("#ffa552"),
                     QColor("#fff0d8")};
    return c;
}

struct Base {
    const char *window, *base, *alternate, *button, *text, *tool_tip;
};

QPalette makePalette(const Base& base, const ThemeColors& colors) {
    const QColor window(base.window), text(base.text);
    QPalette p(QColor(base.button), window);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
        p.setColor(role, text);
        p.setColor(QPalette::Disabled, role, colors.muted);
    }
    p.setColor(QPalette::Base, QColor(base.base));
    p.setColor(QPalette::AlternateBase, QColor(base.alternate));
    p.setColor(QPalette::BrightText, colors.error);
    p.setColor(QPalette::PlaceholderText, colors.muted);
    p.setColor(QPalette::Highlight, colors.accent);
    p.setColor(QPalette::HighlightedText, colors.on_accent);
    p.setColor(QPalette::Disabled, QPalette::Highlight, colors.pressed);
    p.setColor(QPalette::Disabled, QPalette::HighlightedText, colors.muted);
    p.setColor(QPalette::Link, colors.accent);
    p.setColor(QPalette::LinkVisited, colors.accent);
    p.setColor(QPalette::ToolTipBase, QColor(base.tool_tip));
    p.setColor(QPalette::ToolTipText, text);
    p.setColor(QPalette::Mid, colors.separator);
    p.setColor(QPalette::Midlight, colors.hover);
    p.setColor(QPalette::Dark, colors.control);
    return p;
}

double linear(double channel) {
    return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double luminance(const QColor& color) {
    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) +
           0.0722 * linear(color.blueF());
}

const ThemeColors& lightColors() {
    static const ThemeColors colors = makeLightColors();
    return colors;
}

const ThemeColors& darkColors() {
    static const ThemeColors colors = makeDarkColors();
    return colors;
}

}  // namespace

QPalette lightPalette() {
    return makePalette({"#f6f7f9", "#ffffff", "#f1f3f6", "#fbfcfd", "#1b1f24", "#ffffff"},
                       lightColors());
}

QPalette darkPalette() {
    return makePalette({"#1b1e22", "#15171a", "#1f2226", "#262a30", "#e7e9ec", "#2b3037"},
                       darkColors());
}

bool isDark(const QPalette& palette) {
    return luminance(palette.color(QPalette::Active, QPalette::Window)) <
           luminance(palette.color(QPalette::Active, QPalette::WindowText));
}

const ThemeColors& themeColors(const QPalette& palette) {
    return isDark(palette) ? darkColors() : lightColors();
}

double contrast(const QColor& a, const QColor& b) {
    const double la = luminance(a), lb = luminance(b);
    const double low = std::min(la, lb), high = std::max(la, lb);
    return (high + 0.05) / (low + 0.05);
}

}  // namespace lockstep
