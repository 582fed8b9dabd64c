// SPDX-License-Identifier: GPL-3.0-or-later
// The child process that runs a user's kernel, for tests: they have no such word themselves.
#include "kernels/user/child_main.h"

int main() {
    return lockstep::kernel_child_main();
}
