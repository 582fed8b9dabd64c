// SPDX-License-Identifier: GPL-3.0-or-later
// The chat: transcript, composer, system prompt, context meter. It knows no engine: who answers
// listens to sendRequested and stopRequested, and tells back through the slots, all on the GUI
// thread (queued connections from a worker fit).
//
// One request: sendRequested(conversation) -> appendText(...)* -> finishAnswer or failAnswer,
// exactly one of them, also after stopRequested (stop reason "cancelled"). Until then the page is
// answering and asks for nothing else; what arrives after newChat() while answering is dropped up
// to and including that end.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/chat/chat_types.h"

class QAction;

namespace lockstep {

class ChatModel;
class Composer;
class TranscriptView;

class ChatPage : public QWidget {
    Q_OBJECT
  public:
    explicit ChatPage(QWidget* parent = nullptr);
    ~ChatPage() override;

    QString systemPrompt() const;
    // What was said so far, without answers that failed before their first token; a non-empty
    // system prompt comes first.
    QVector<ChatEntry> conversation() const;
    QString exportMarkdown() const;
    ChatModel* model() const;
    TranscriptView* transcript() const;
    Composer* composer() const;
    bool isAnswering() const;

    // For menus; the page shows and enables them itself too. Shortcuts are set on them.
    QAction* newChatAction() const;     // Ctrl+N
    QAction* exportAction() const;      // Ctrl+Shift+E, asks for a file
    QAction* copyAnswerAction() const;  // Ctrl+Shift+C, the last answer

  public Q_SLOTS:
    void appendText(const QString& piece);  // as often as it comes: shown every 40 ms at most
    void finishAnswer(const lockstep::AnswerStats& stats);
    void failAnswer(const QString& message);

    // Shown in the header and by the empty state; empty: no model.
    void setModelName(const QString& name);
    // Not ready: nothing can be sent, and the composer says why ("Loading ...", "Choose a model").
    void setReady(bool ready, const QString& reason = {});
    void setContextUse(qint64 used, qint64 total);  // in tokens; total 0 hides the meter
    void setSystemPrompt(const QString& text);      // does not emit systemPromptChanged
    void newChat();                  // stops a running answer, keeps the system prompt
    void send(const QString& text);  // as if typed and sent
    void focusComposer();

  Q_SIGNALS:
    // An answer is wanted after the last entry, which is the user's. The system prompt comes first.
    void sendRequested(const QVector<lockstep::ChatEntry>& conversation);
    void stopRequested();
    void newChatStarted();  // the engine may forget the conversation
    void systemPromptChanged(const QString& text);
    void answeringChanged(bool answering);

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void makeActions();
    void makeParts();
    void layOutParts();
    void connectParts();
    void showState();
    void ask();
    void repeat(int row);
    void resend(int row, const QString& text);
    void copyLastAnswer();
    void exportToFile();
    QString lastAnswer() const;

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace lockstep
