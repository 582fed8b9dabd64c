// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/chat_page.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDesktopServices>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMessageBox>
#include <QSaveFile>
#include <QScrollBar>
#include <QShortcut>
#include <QStackedWidget>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/chat/chat_model.h"
#include "ui/chat/composer.h"
#include "ui/chat/context_meter.h"
#include "ui/chat/empty_state.h"
#include "ui/chat/growing_text_edit.h"
#include "ui/chat/message_actions.h"
#include "ui/chat/system_prompt_editor.h"
#include "ui/chat/transcript_view.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

constexpr int flush_interval_ms = 40;
constexpr int widest_composer = 122;  // average characters

QAction* makeAction(QWidget* page, const char* icon, const QString& text,
                    const QKeySequence& keys) {
    auto* action = new QAction(themedIcon(QLatin1String(icon)), text, page);
    action->setShortcut(keys);
    action->setShortcutContext(Qt::WindowShortcut);
    page->addAction(action);
    return action;
}

}  // namespace

struct ChatPage::Parts {
    ChatModel* model = nullptr;
    TranscriptView* transcript = nullptr;
    EmptyState* empty = nullptr;
    QStackedWidget* stack = nullptr;
    Composer* composer = nullptr;
    ContextMeter* meter = nullptr;
    SystemPromptEditor* system_prompt = nullptr;
    QToolButton* new_chat_button = nullptr;
    QShortcut* stop = nullptr;
    QAction* new_chat = nullptr;
    QAction* export_chat = nullptr;
    QAction* copy_answer = nullptr;
    QString pending;  // text that the model has not been told yet
    QTimer flush;
    bool ready = false;
    int dropped_ends = 0;  // answers whose end is still to come, after newChat() left them

    void flushPending() {
        flush.stop();
        model->appendToAnswer(std::exchange(pending, {}));
    }
    bool dropsEnd() { return dropped_ends > 0 && dropped_ends--; }
};

ChatPage::ChatPage(QWidget* parent) : QWidget(parent), parts_(std::make_unique<Parts>()) {
    Parts& p = *parts_;
    p.model = new ChatModel(this);
    p.flush.setSingleShot(true);
    p.flush.setInterval(flush_interval_ms);
    makeActions();
    makeParts();
    layOutParts();
    connectParts();
    showState();
}

ChatPage::~ChatPage() {
    delete parts_->transcript;  // before the model that it shows
}

void ChatPage::makeActions() {
    Parts& p = *parts_;
    p.new_chat = makeAction(this, "new-chat", tr("New chat"), QKeySequence::New);
    p.export_chat =
        makeAction(this, "download", tr("Export chat…"), Qt::CTRL | Qt::SHIFT | Qt::Key_E);
    p.copy_answer =
        makeAction(this, "copy", tr("Copy last answer"), Qt::CTRL | Qt::SHIFT | Qt::Key_C);
    p.stop = new QShortcut(Qt::Key_Escape, this, nullptr, nullptr, Qt::WidgetWithChildrenShortcut);
}

// In the order that Tab goes.
void ChatPage::makeParts() {
    Parts& p = *parts_;
    p.system_prompt = new SystemPromptEditor(this);
    p.meter = new ContextMeter(this);
    p.new_chat_button = makeIconButton(QStringLiteral("new-chat"), tr("New chat"), this);
    p.new_chat_button->setObjectName(QStringLiteral("newChat"));
    p.new_chat_button->setToolTip(
        tr("New chat (%1)").arg(p.new_chat->shortcut().toString(QKeySequence::NativeText)));
    p.stack = new QStackedWidget(this);
    p.empty = new EmptyState(p.stack);
    p.transcript = new TranscriptView(p.model, p.stack);
    p.stack->addWidget(p.empty);
    p.stack->addWidget(p.transcript);
    p.composer = new Composer(this);
}

void ChatPage::layOutParts() {
    Parts& p = *parts_;
    const int unit = fontMetrics().height();
    // In line with the transcript's column, which a scroll bar stands beside.
    const int scroll_bar = p.transcript->verticalScrollBar()->sizeHint().width();
    auto* header = new QHBoxLayout;
    header->setContentsMargins(unit / 2, unit / 4, unit / 2, unit / 4);
    header->addWidget(p.system_prompt->toggle());
    header->addStretch();
    header->addWidget(p.meter);
    header->addSpacing(unit / 3);
    header->addWidget(p.new_chat_button);
    auto* prompt = new QHBoxLayout;
    prompt->setContentsMargins(unit, unit / 4, unit + scroll_bar, unit / 4);
    prompt->addStretch(1);
    prompt->addWidget(p.system_prompt, 1000);
    prompt->addStretch(1);
    p.system_prompt->setMaximumWidth(fontMetrics().averageCharWidth() * widest_composer);
    auto* composer = new QHBoxLayout;
    composer->setContentsMargins(unit, unit / 4, unit + scroll_bar, unit * 3 / 4);
    composer->addStretch(1);
    composer->addWidget(p.composer, 1000);
    composer->addStretch(1);
    p.composer->setMaximumWidth(fontMetrics().averageCharWidth() * widest_composer);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addLayout(header);
    layout->addLayout(prompt);
    layout->addWidget(p.stack, 1);
    layout->addLayout(composer);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
}

void ChatPage::connectParts() {
    Parts& p = *parts_;
    connect(&p.flush, &QTimer::timeout, this, [this] { parts_->flushPending(); });
    connect(p.model, &QAbstractItemModel::modelReset, this, &ChatPage::showState);
    connect(p.model, &QAbstractItemModel::rowsInserted, this, &ChatPage::showState);
    connect(p.model, &QAbstractItemModel::rowsRemoved, this, &ChatPage::showState);
    connect(p.new_chat, &QAction::triggered, this, &ChatPage::newChat);
    connect(p.new_chat_button, &QToolButton::clicked, p.new_chat, &QAction::trigger);
    connect(p.export_chat, &QAction::triggered, this, &ChatPage::exportToFile);
    connect(p.copy_answer, &QAction::triggered, this, &ChatPage::copyLastAnswer);
    connect(p.stop, &QShortcut::activated, this, &ChatPage::stopRequested);
    connect(p.composer, &Composer::stopRequested, this, &ChatPage::stopRequested);
    connect(p.composer, &Composer::sendRequested, this, [this](const QString& text) {
        send(text);
        parts_->composer->clearAfterSending();
    });
    connect(p.empty, &EmptyState::promptChosen, this, [this](const QString& prompt) {
        send(prompt);
        focusComposer();
    });
    connect(p.system_prompt, &SystemPromptEditor::textEdited, this, &ChatPage::systemPromptChanged);
    connect(p.transcript, &TranscriptView::repeatRequested, this, &ChatPage::repeat);
    connect(p.transcript, &TranscriptView::editAccepted, this, &ChatPage::resend);
    connect(p.transcript, &TranscriptView::linkActivated, this,
            [](const QUrl& url) { QDesktopServices::openUrl(url); });
}

void ChatPage::showState() {
    Parts& p = *parts_;
    const bool answering = isAnswering();
    const bool empty = p.model->turns() == 0;
    p.stack->setCurrentWidget(empty ? static_cast<QWidget*>(p.empty) : p.transcript);
    p.composer->setAnswering(answering);
    p.stop->setEnabled(answering);
    p.export_chat->setEnabled(!empty);
    p.copy_answer->setEnabled(!lastAnswer().isEmpty());
}

QString ChatPage::lastAnswer() const {
    for (int row = parts_->model->turns() - 1; row >= 0; --row) {
        const ChatTurn& turn = parts_->model->turn(row);
        if (turn.author == TurnAuthor::assistant && !turn.text.isEmpty()) return turn.text;
    }
    return {};
}

// What is told

QString ChatPage::systemPrompt() const {
    return parts_->system_prompt->text();
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
TranscriptView* ChatPage::transcript() const {
    return parts_->transcript;
}
Composer* ChatPage::composer() const {
    return parts_->composer;
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

// The answer

void ChatPage::appendText(const QString& piece) {
    if (parts_->dropped_ends > 0 || !isAnswering()) return;
    parts_->pending += piece;
    if (!parts_->flush.isActive()) parts_->flush.start();
}

void ChatPage::finishAnswer(const AnswerStats& stats) {
    if (parts_->dropsEnd() || !isAnswering()) return;
    parts_->flushPending();
    parts_->model->finishAnswer(stats);
    showState();
    Q_EMIT answeringChanged(false);
}

void ChatPage::failAnswer(const QString& message) {
    if (parts_->dropsEnd() || !isAnswering()) return;
    parts_->flushPending();
    parts_->model->failAnswer(message);
    showState();
    Q_EMIT answeringChanged(false);
}

void ChatPage::ask() {
    parts_->model->beginAnswer();
    showState();
    parts_->transcript->scrollToEnd();
    Q_EMIT answeringChanged(true);
    Q_EMIT sendRequested(conversation());
}

void ChatPage::send(const QString& text) {
    if (!parts_->ready || isAnswering() || text.trimmed().isEmpty()) return;
    parts_->model->addUser(text);
    ask();
}

// The answer in `row` is asked for again; what follows it goes.
void ChatPage::repeat(int row) {
    if (!parts_->ready || isAnswering() || row <= 0) return;
    parts_->model->truncate(row);
    ask();
}

void ChatPage::resend(int row, const QString& text) {
    if (!parts_->ready || isAnswering() || text.trimmed().isEmpty()) return;
    parts_->model->truncate(row);
    send(text);
    focusComposer();
}

void ChatPage::newChat() {
    Parts& p = *parts_;
    const bool answering = isAnswering();
    if (answering) {
        ++p.dropped_ends;
        p.flush.stop();
        p.pending.clear();
        Q_EMIT stopRequested();
    }
    p.model->setTurns({});
    showState();
    focusComposer();
    if (answering) Q_EMIT answeringChanged(false);
    Q_EMIT newChatStarted();
}

// What is shown

void ChatPage::setModelName(const QString& name) {
    parts_->empty->setModelName(name);
}

void ChatPage::setReady(bool ready, const QString& reason) {
    parts_->ready = ready;
    parts_->empty->setReady(ready, reason);
    parts_->composer->setReady(ready, reason);
}

void ChatPage::setContextUse(qint64 used, qint64 total) {
    parts_->meter->setUse(used, total);
}

void ChatPage::setSystemPrompt(const QString& text) {
    parts_->system_prompt->setText(text);
}

void ChatPage::focusComposer() {
    parts_->composer->setFocus(Qt::OtherFocusReason);
}

void ChatPage::copyLastAnswer() {
    QApplication::clipboard()->setText(lastAnswer());
}

void ChatPage::exportToFile() {
    const QString name = QFileDialog::getSaveFileName(
        this, tr("Export chat"), QStringLiteral("chat.md"), tr("Markdown (*.md)"));
    if (name.isEmpty()) return;
    QSaveFile file(name);
    const QByteArray text = exportMarkdown().toUtf8();
    if (file.open(QIODevice::WriteOnly) && file.write(text) == text.size() && file.commit()) return;
    QMessageBox::warning(this, tr("Export chat"),
                         tr("%1 could not be written: %2").arg(name, file.errorString()));
}

// Who types while the transcript has the focus means the composer.
void ChatPage::keyPressEvent(QKeyEvent* event) {
    const QString text = event->text();
    const bool types = !text.isEmpty() && text[0].isPrint() &&
                       !(event->modifiers() & (Qt::ControlModifier | Qt::AltModifier));
    if (types && !parts_->transcript->isEditing()) {
        focusComposer();
        parts_->composer->field()->insertPlainText(text);
    } else {
        QWidget::keyPressEvent(event);
    }
}

}  // namespace lockstep
