// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep_kernel.h as text, for those who are to have a copy of it.
#pragma once

#include <string_view>

namespace lockstep {

std::string_view kernel_header_text();

}  // namespace lockstep
