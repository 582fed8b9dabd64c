// SPDX-License-Identifier: GPL-3.0-or-later
// A value's way from one thread to another through Qt's event queue, told to ThreadSanitizer: it
// cannot look into the system's Qt, and would take whatever is queued for a race. What came before
// the value was copied into the queue happened before what follows taken(). Other races of ours are
// still found; in an ordinary build there is nothing here.
#pragma once

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace lockstep {

// The last member of a struct that is queued; who receives it calls taken() before all else.
class HandOver {
  public:
#ifdef __SANITIZE_THREAD__
    HandOver() = default;
    HandOver(const HandOver&) {
        __tsan_release(this);
    }
    HandOver& operator=(const HandOver&) {
        return *this;
    }
    ~HandOver() = default;
    void taken() const {
        __tsan_acquire(const_cast<HandOver*>(this));
    }
#else
    void taken() const {}
#endif
};

// A call that is queued.
template <class Call>
struct QueuedCall {
    Call call;
    HandOver hand_over = {};

    void operator()() const {
        hand_over.taken();
        call();
    }
};
template <class Call>
QueuedCall(Call) -> QueuedCall<Call>;  // clang before 17 deduces no aggregates by itself

}  // namespace lockstep
