// SPDX-License-Identifier: GPL-3.0-or-later
// Labels of a few kinds, sized from the user's own font.
#pragma once

#include <QLabel>

namespace lockstep {

QLabel* headingLabel(const QString& text, double scale = 1.3);
QLabel* mutedLabel(const QString& text);  // secondary text; wraps
// Text that the keyboard reaches, to be read out and copied: with the ring that a focus has here.
QLabel* readableLabel();

}  // namespace lockstep
