// SPDX-License-Identifier: GPL-3.0-or-later
// A progress bar of a fraction: QProgressBar counts in ints, which hold no model's bytes.
#pragma once

#include <QProgressBar>

namespace lockstep {

inline void showFraction(QProgressBar* bar, double fraction) {
    constexpr int steps = 1000;
    bar->setRange(0, steps);
    bar->setValue(int(fraction * steps));
}
// Busy, of nobody knows how much.
inline void showBusy(QProgressBar* bar) {
    bar->setRange(0, 0);
}

}  // namespace lockstep
