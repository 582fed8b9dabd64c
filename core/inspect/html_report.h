// SPDX-License-Identifier: GPL-3.0-or-later
// An inspection as one self-contained HTML page: the sentence, the plot of layers x error, the
// first divergence with its taps and drill-down, the diagnosis, and every figure in a table. Inline
// SVG and style, no script, nothing loaded from anywhere; light and dark as the reader's system is.
#pragma once

#include <string>
#include <vector>

#include "core/inspect/inspection.h"

namespace lockstep {

// prompt_texts: of the comparison's prompts, in order; any bytes.
std::string html_report(const Inspection& inspection, const std::vector<std::string>& prompt_texts);

}  // namespace lockstep
