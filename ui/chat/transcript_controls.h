// SPDX-License-Identifier: GPL-3.0-or-later
// The buttons that float in a transcript: under messages, on code blocks, and the way back to the
// end. Real widgets, so that keyboard and screen readers reach them; only as many as are in sight.
#pragma once

#include <QObject>
#include <vector>

class QPushButton;
class QToolButton;

namespace lockstep {

class MessageActions;
class TranscriptView;

class TranscriptControls : public QObject {
    Q_OBJECT
  public:
    explicit TranscriptControls(TranscriptView* view);

    void sync();  // places everything anew
    void setHoveredRow(int row);
    int actionsWidth() const;  // kept free at the right of every footer
    void focusActions(int row);

  private:
    MessageActions* makeActions();
    void place(MessageActions* actions, int row);
    void placeCodeButtons();
    QToolButton* codeButton(size_t index);
    void placeJumpButton();

    TranscriptView* view_;
    MessageActions* last_;     // of the last row
    MessageActions* current_;  // of the row that the keyboard is on
    MessageActions* hovered_;  // of the row under the pointer
    int hovered_row_ = -1;
    QPushButton* jump_;
    std::vector<QToolButton*> code_buttons_;
};

}  // namespace lockstep
