// SPDX-License-Identifier: GPL-3.0-or-later
// Ctrl+C while an answer runs stops the answer, not the program; a second one ends the program.
#pragma once

#include "core/run/engine.h"

namespace lockstep::app {

// While one of these lives, SIGINT cancels the engine's work. One at a time.
class InterruptStops {
  public:
    explicit InterruptStops(Engine& engine);
    ~InterruptStops();
    InterruptStops(const InterruptStops&) = delete;
    InterruptStops& operator=(const InterruptStops&) = delete;
};

}  // namespace lockstep::app
