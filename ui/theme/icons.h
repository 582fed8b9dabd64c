// SPDX-License-Identifier: GPL-3.0-or-later
// The program's line icons (resources/icons/*.svg), drawn in the palette's colour of the moment and
// at the screen's own resolution.
#pragma once

#include <QIcon>
#include <QPalette>
#include <QPixmap>
#include <QString>

namespace lockstep {

// name: the file's, without .svg ("send", "stop", "copy", ...). Drawn in `role`'s colour of the
// application's palette; where the icon is selected, in HighlightedText.
QIcon themedIcon(const QString& name, QPalette::ColorRole role = QPalette::ButtonText);
// In one colour, whatever the palette.
QIcon colouredIcon(const QString& name, const QColor& color);
QIcon applicationIcon();
// A drawing of `extent` device-independent pixels, for a painter.
QPixmap iconPixmap(const QString& name, int extent, qreal device_pixel_ratio, const QColor& color);

}  // namespace lockstep
