// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/message_editor.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/chat/field_frame.h"
#include "ui/chat/growing_text_edit.h"

namespace lockstep {

MessageEditor::MessageEditor(const QString& text, QWidget* parent) : QFrame(parent) {
    auto* frame = new FieldFrame(this);
    field_ = frame->field();
    field_->setAccessibleName(tr("Edit the message"));
    field_->setMaximumLines(14);
    field_->setPlainText(text);
    field_->moveCursor(QTextCursor::End);
    send_ = new QPushButton(tr("Send again"), this);
    send_->setProperty("primary", true);
    send_->setAccessibleDescription(tr("Replaces this message; what follows it is dropped"));
    send_->setToolTip(send_->accessibleDescription());
    cancel_ = new QPushButton(tr("Cancel"), this);
    cancel_->setToolTip(tr("Keep the message as it was (Esc)"));
    auto* buttons = new QHBoxLayout;
    buttons->addStretch();
    buttons->addWidget(cancel_);
    buttons->addWidget(send_);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(frame);
    layout->addLayout(buttons);
    setCursor(Qt::ArrowCursor);
    setFocusProxy(field_);
    const auto update = [this] { send_->setEnabled(!this->text().trimmed().isEmpty()); };
    connect(field_, &QPlainTextEdit::textChanged, this, update);
    connect(field_, &GrowingTextEdit::submitted, send_, &QPushButton::click);
    connect(field_, &GrowingTextEdit::cancelled, this, &MessageEditor::cancelled);
    connect(field_, &GrowingTextEdit::heightChanged, this, &MessageEditor::heightChanged);
    connect(send_, &QPushButton::clicked, this, &MessageEditor::accepted);
    connect(cancel_, &QPushButton::clicked, this, &MessageEditor::cancelled);
    update();
}

void MessageEditor::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) {
        Q_EMIT cancelled();
    } else {
        QFrame::keyPressEvent(event);
    }
}

QString MessageEditor::text() const {
    return field_->toPlainText();
}

}  // namespace lockstep
