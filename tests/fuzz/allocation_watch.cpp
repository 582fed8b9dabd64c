// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/fuzz/allocation_watch.h"

#include <atomic>

// sanitizer/allocator_interface.h, which GCC does not install.
extern "C" {
size_t __sanitizer_get_allocated_size(const volatile void* memory);
size_t __sanitizer_get_current_allocated_bytes();
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, size_t),
                                              void (*free_hook)(const volatile void*));
}

namespace lockstep::test {
namespace {

std::atomic<size_t> in_use = 0, peak = 0, start = 0;

void allocated(const volatile void*, size_t bytes) {
    const size_t now = in_use.fetch_add(bytes) + bytes;
    size_t before = peak;
    while (before < now && !peak.compare_exchange_weak(before, now)) {
    }
}

void freed(const volatile void* memory) {
    in_use -= __sanitizer_get_allocated_size(memory);
}

}  // namespace

size_t take_peak_allocation() {
    static const bool installed = [] {
        in_use = __sanitizer_get_current_allocated_bytes();
        return __sanitizer_install_malloc_and_free_hooks(allocated, freed) > 0;
    }();
    const size_t taken = installed && peak > start ? peak - start : 0;
    start = in_use.load();
    peak = in_use.load();
    return taken;
}

}  // namespace lockstep::test
