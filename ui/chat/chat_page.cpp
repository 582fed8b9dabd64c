// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/chat_page.h"

#include <QAction>
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/chat/chat_model.h"

namespace lockstep {

struct ChatPage::Parts {
    ChatModel* model = nullptr;
    QListView* transcript = nullptr;
    QPlainTextEdit* composer = nullptr;
    QPushButton* send = nullptr;
    QAction* new_chat = nullptr;
    QAction* export_chat = nullptr;
    QAction* copy_answer = nullptr;
    QString system_prompt;
    QString pending;  // text that the model has not been told yet
    QTimer flush;
    bool ready = false;
    int dropped_ends = 0;  // answers whose end is still to come, after newChat() left them

    void flushPending() {
        flush.stop();
        model->appendToAnswer(std::exchange(pending, {}));
    }
};

ChatPage::ChatPage(QWidget* parent) : QWidget(parent), parts_(std::make_unique<Parts>()) {
    Parts& p = *parts_;
    p.model = new ChatModel(this);
    p.transcript = new QListView(this);
    p.transcript->setModel(p.model);
    p.composer = new QPlainTextEdit(this);
    p.send = new QPushButton(tr("Send"), this);
    p.new_chat = new QAction(tr("New chat"), this);
    p.new_chat->setShortcut(QKeySequence::New);
    p.export_chat = new QAction(tr("Export chat…"), this);
    p.copy_answer = new QAction(tr("Copy last answer"), this);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(p.transcript);
    layout->addWidget(p.composer);
    layout->addWidget(p.send);
    p.flush.setSingleShot(true);
    p.flush.setInterval(40);
    connect(&p.flush, &QTimer::timeout, this, [this] { parts_->flushPending(); });
    connect(p.new_chat, &QAction::triggered, this, &ChatPage::newChat);
    connect(p.send, &QPushButton::clicked, this, [this] {
        if (isAnswering()) {
            Q_EMIT stopRequested();
        } else {
            send(parts_->composer->toPlainText());
            parts_->composer->clear();
        }
    });
}

ChatPage::~ChatPage() = default;

QString ChatPage::systemPrompt() const {
    return parts_->system_prompt;
}
QVector<ChatEntry> ChatPage::conversation() const {
    QVector<ChatEntry> entries = parts_->model->conversation();
    if (!systemPrompt().trimmed().isEmpty()) {
        entries.prepend({QStringLiteral("system"), systemPrompt()});
    }
    return entries;
}
QString ChatPage::exportMarkdown() const {
    QVector<ChatTurn> turns;
    for (int row = 0; row < parts_->model->turns(); ++row) turns << parts_->model->turn(row);
    return markdownOf(turns, systemPrompt());
}
ChatModel* ChatPage::model() const {
    return parts_->model;
}
bool ChatPage::isAnswering() const {
    return parts_->model->isAnswering();
}
QAction* ChatPage::newChatAction() const {
    return parts_->new_chat;
}
QAction* ChatPage::exportAction() const {
    return parts_->export_chat;
}
QAction* ChatPage::copyAnswerAction() const {
    return parts_->copy_answer;
}

void ChatPage::appendText(const QString& piece) {
    if (parts_->dropped_ends > 0 || !isAnswering()) return;
    parts_->pending += piece;
    if (!parts_->flush.isActive()) parts_->flush.start();
}

void ChatPage::finishAnswer(const AnswerStats& stats) {
    if (parts_->dropped_ends > 0) {
        --parts_->dropped_ends;
        return;
    }
    parts_->flushPending();
    parts_->model->finishAnswer(stats);
    Q_EMIT answeringChanged(false);
}

void ChatPage::failAnswer(const QString& message) {
    if (parts_->dropped_ends > 0) {
        --parts_->dropped_ends;
        return;
    }
    parts_->flushPending();
    parts_->model->failAnswer(message);
    Q_EMIT answeringChanged(false);
}

void ChatPage::setModelName(const QString&) {}
void ChatPage::setReady(bool ready, const QString&) {
    parts_->ready = ready;
}
void ChatPage::setContextUse(qint64, qint64) {}
void ChatPage::setSystemPrompt(const QString& text) {
    parts_->system_prompt = text;
}

void ChatPage::newChat() {
    if (isAnswering()) {
        ++parts_->dropped_ends;
        parts_->pending.clear();
        Q_EMIT stopRequested();
    }
    parts_->model->setTurns({});
    Q_EMIT answeringChanged(false);
    Q_EMIT newChatStarted();
}

void ChatPage::send(const QString& text) {
    if (!parts_->ready || isAnswering() || text.trimmed().isEmpty()) return;
    parts_->model->addUser(text);
    parts_->model->beginAnswer();
    Q_EMIT answeringChanged(true);
    Q_EMIT sendRequested(conversation());
}

void ChatPage::focusComposer() {
    parts_->composer->setFocus();
}

}  // namespace lockstep
