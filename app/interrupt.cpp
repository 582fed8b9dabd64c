// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/interrupt.h"

#include <csignal>

namespace lockstep::app {
namespace {

std::atomic<Engine*> interrupted_engine = nullptr;
static_assert(std::atomic<Engine*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may touch lock-free atomics only");

void stop_answer(int) {
    if (Engine* engine = interrupted_engine.load()) engine->cancel();
    std::signal(SIGINT, SIG_DFL);
}

}  // namespace

InterruptStops::InterruptStops(Engine& engine) {
    interrupted_engine = &engine;
    std::signal(SIGINT, stop_answer);
}

InterruptStops::~InterruptStops() {
    std::signal(SIGINT, SIG_DFL);
    interrupted_engine = nullptr;
}

}  // namespace lockstep::app
