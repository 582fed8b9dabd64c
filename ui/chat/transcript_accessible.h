// SPDX-License-Identifier: GPL-3.0-or-later
// What a screen reader is told of a transcript: a list with an item for each message, whose name is
// who speaks and what is said, and whose description are the figures below.
#pragma once

namespace lockstep {

class TranscriptView;

void makeTranscriptAccessible();  // once is enough
void tellFocusedRow(TranscriptView* view, int row);

}  // namespace lockstep
