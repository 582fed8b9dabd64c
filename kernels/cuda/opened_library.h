// SPDX-License-Identifier: GPL-3.0-or-later
// NVIDIA's libraries are opened when they are first used: a program that was linked to them would
// not start on a machine without.
#pragma once

#include <dlfcn.h>

#include <string>

namespace lockstep {

// `function` of an opened library; where there is none, `problem` says what lacks which.
template <class Function>
void find_function(void* library, const char* what, const char* name, Function& function,
                   std::string& problem) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (!function) problem = std::string(what) + " lacks " + name;
}

}  // namespace lockstep
