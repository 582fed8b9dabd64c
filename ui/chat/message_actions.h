// SPDX-License-Identifier: GPL-3.0-or-later
// The buttons under a message.
#pragma once

#include <QWidget>

#include "ui/chat/chat_types.h"

class QToolButton;

namespace lockstep {

class MessageActions : public QWidget {
    Q_OBJECT
  public:
    explicit MessageActions(QWidget* parent = nullptr);

    // can_repeat: it is the last answer and nothing is being answered. can_edit likewise.
    void setTurn(int row, const ChatTurn& turn, bool can_repeat, bool can_edit);
    int row() const { return row_; }
    bool hasFocusInside() const;
    void focusFirst();

  Q_SIGNALS:
    void copyRequested(int row);
    void editRequested(int row);
    void repeatRequested(int row);

  private:
    int row_ = -1;
    QToolButton* copy_;
    QToolButton* edit_;
    QToolButton* repeat_;
};

// A flat button with an icon, named for those who do not see it.
QToolButton* makeIconButton(const QString& icon, const QString& name, QWidget* parent);

}  // namespace lockstep
