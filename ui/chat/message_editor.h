// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in a user message's place while it is edited.
#pragma once

#include <QFrame>

class QPushButton;

namespace lockstep {

class GrowingTextEdit;

class MessageEditor : public QFrame {
    Q_OBJECT
  public:
    MessageEditor(const QString& text, QWidget* parent);

    GrowingTextEdit* field() const { return field_; }
    QString text() const;

  Q_SIGNALS:
    void accepted();
    void cancelled();
    void heightChanged();

  protected:
    void keyPressEvent(QKeyEvent* event) override;  // Escape, from the buttons too

  private:
    GrowingTextEdit* field_;
    QPushButton* send_;
    QPushButton* cancel_;
};

}  // namespace lockstep
