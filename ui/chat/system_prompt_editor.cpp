// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/system_prompt_editor.h"

#include <QSignalBlocker>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/chat/field_frame.h"
#include "ui/chat/growing_text_edit.h"
#include "ui/chat/message_actions.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

constexpr int longest_preview = 40;  // characters

}  // namespace

SystemPromptEditor::SystemPromptEditor(QWidget* parent) : QWidget(parent) {
    toggle_ = makeIconButton(QStringLiteral("chevron-right"), tr("System prompt"), this);
    toggle_->setObjectName(QStringLiteral("systemPromptToggle"));
    toggle_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    toggle_->setCheckable(true);
    auto* frame = new FieldFrame(this);
    field_ = frame->field();
    field_->setAccessibleName(tr("System prompt"));
    field_->setAccessibleDescription(tr("Goes before the conversation, from the next message on"));
    field_->setPlaceholderText(tr("How the model is to answer, for example: You are brief."));
    field_->setEnterSubmits(false);
    field_->setMinimumLines(2);
    field_->setMaximumLines(8);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(frame);
    connect(toggle_, &QToolButton::toggled, this, [this](bool open) {
        showState();
        if (open) field_->setFocus(Qt::OtherFocusReason);
    });
    connect(field_, &GrowingTextEdit::cancelled, this, [this] {
        setOpen(false);
        toggle_->setFocus(Qt::OtherFocusReason);
    });
    connect(field_, &QPlainTextEdit::textChanged, this, [this] {
        showState();
        Q_EMIT textEdited(text());
    });
    showState();
}

QString SystemPromptEditor::text() const {
    return field_->toPlainText();
}

void SystemPromptEditor::setText(const QString& text) {
    if (text == this->text()) return;
    const QSignalBlocker blocker(field_);
    field_->setPlainText(text);
    showState();
}

bool SystemPromptEditor::isOpen() const {
    return toggle_->isChecked();
}

void SystemPromptEditor::setOpen(bool open) {
    toggle_->setChecked(open);
}

void SystemPromptEditor::showState() {
    QString preview = text().simplified();
    if (preview.size() > longest_preview) {
        preview = preview.left(longest_preview) + QStringLiteral("…");
    }
    const bool show = isOpen() || preview.isEmpty();
    toggle_->setText(show ? tr("System prompt") : tr("System: %1").arg(preview));
    toggle_->setAccessibleDescription(preview.isEmpty() ? tr("None") : preview);
    toggle_->setToolTip(isOpen() ? tr("Hide the system prompt") : tr("Show the system prompt"));
    toggle_->setIcon(
        themedIcon(isOpen() ? QStringLiteral("chevron-down") : QStringLiteral("chevron-right")));
    setVisible(isOpen());
}

}  // namespace lockstep
