// SPDX-License-Identifier: GPL-3.0-or-later
// The system prompt: a line that says whether there is one, and opens to edit it.
#pragma once

#include <QWidget>

class QToolButton;

namespace lockstep {

class GrowingTextEdit;

class SystemPromptEditor : public QWidget {
    Q_OBJECT
  public:
    explicit SystemPromptEditor(QWidget* parent = nullptr);

    QString text() const;
    void setText(const QString& text);
    bool isOpen() const;
    void setOpen(bool open);
    QToolButton* toggle() const { return toggle_; }  // the page places it
    GrowingTextEdit* field() const { return field_; }

  Q_SIGNALS:
    void textEdited(const QString& text);

  private:
    void showState();

    QToolButton* toggle_;
    GrowingTextEdit* field_;
};

}  // namespace lockstep
