// SPDX-License-Identifier: GPL-3.0-or-later
// Shared objects that can't be taken for a kernel, one reason each.
#if defined(NO_VERSION)
extern "C" int lockstep_down(const void*) {
    return 0;
}
#elif defined(WRONG_VERSION)
extern "C" int lockstep_abi_version() {
    return 99;
}
extern "C" int lockstep_down(const void*) {
    return 0;
}
#elif defined(EXPORTS_NOTHING)
#include "lockstep_kernel.h"
int down(const lockstep_down_args*) {
    return 0;
}
#elif defined(UNDEFINED_SYMBOL)
#include "lockstep_kernel.h"
extern "C" int launch_my_tile(int size);
int lockstep_down(const lockstep_down_args* args) {
    return launch_my_tile(args->context.threads);
}
#elif defined(FOR_A_GPU)
#include "lockstep_kernel.h"
int lockstep_device(void) {
    return LOCKSTEP_CUDA;
}
int lockstep_down(const lockstep_down_args*) {
    return 0;
}
#endif
