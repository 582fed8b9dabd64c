// SPDX-License-Identifier: GPL-3.0-or-later
// The two palettes, and the colours that QPalette has no role for. A widget asks with its own
// palette(), so that it is right after a change of theme without being told.
#pragma once

#include <QColor>
#include <QPalette>
#include <array>

namespace lockstep {

struct ThemeColors {
    QColor accent;     // primary buttons, focus, links
    QColor on_accent;  // text on it
    QColor muted;      // secondary text; at least 4.5 : 1 on window and base
    QColor separator;  // lines that only divide
    QColor control;    // outlines of controls; at least 3 : 1 on window and base
    QColor hover;      // behind a control under the pointer
    QColor pressed;
    QColor user_message;                          // behind what the user wrote
    QColor code;                                  // behind code
    QColor success, warning, error;               // as text on window and base
    QColor warning_background, error_background;  // behind `text` and warning or error
    // Curves; at least 3 : 1 on base, and told apart by colour-blind people of each kind (hues near
    // those that Okabe and Ito chose, each also with a shape of its own). Tests measure it.
    QColor drift, local, noise_floor, overlay;
    // A heatmap's errors, small to large: one hue, told apart by lightness alone.
    std::array<QColor, 5> error_scale;
};

QPalette lightPalette();
QPalette darkPalette();
bool isDark(const QPalette& palette);
const ThemeColors& themeColors(const QPalette& palette);

// WCAG 2's contrast of two opaque colours, 1 to 21.
double contrast(const QColor& a, const QColor& b);

}  // namespace lockstep
