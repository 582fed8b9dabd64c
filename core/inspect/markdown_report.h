// SPDX-License-Identifier: GPL-3.0-or-later
// An inspection in some lines of Markdown, for a pull request.
#pragma once

#include <string>
#include <vector>

#include "core/inspect/inspection.h"

namespace lockstep {

// prompt_texts: of the comparison's prompts, in order; any bytes.
std::string markdown_report(const Inspection& inspection,
                            const std::vector<std::string>& prompt_texts);

}  // namespace lockstep
