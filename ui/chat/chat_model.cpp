// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/chat_model.h"

#include <QLocale>
#include <QStringList>

namespace lockstep {

int ChatModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : turns();
}

QVariant ChatModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const ChatTurn& turn = turns_[index.row()];
    switch (role) {
        case Qt::DisplayRole:
        case TextRole:
            return turn.text;
        case AuthorRole:
            return static_cast<int>(turn.author);
        case StateRole:
            return static_cast<int>(turn.state);
        case ErrorRole:
            return turn.error;
        case StatsRole:
            return QVariant::fromValue(turn.stats);
        default:
            return {};
    }
}

QHash<int, QByteArray> ChatModel::roleNames() const {
    return {{TextRole, "text"},
            {AuthorRole, "author"},
            {StateRole, "state"},
            {ErrorRole, "error"},
            {StatsRole, "stats"}};
}

bool ChatModel::isAnswering() const {
    if (turns_.isEmpty()) return false;
    const TurnState state = turns_.last().state;
    return state == TurnState::waiting || state == TurnState::streaming;
}

void ChatModel::setTurns(QVector<ChatTurn> turns) {
    beginResetModel();
    turns_ = std::move(turns);
    endResetModel();
}

void ChatModel::addUser(const QString& text) {
    beginInsertRows({}, turns(), turns());
    turns_.append({.author = TurnAuthor::user, .text = text});
    endInsertRows();
}

void ChatModel::beginAnswer() {
    beginInsertRows({}, turns(), turns());
    turns_.append({.author = TurnAuthor::assistant, .state = TurnState::waiting});
    endInsertRows();
}

void ChatModel::appendToAnswer(const QString& piece) {
    if (!isAnswering() || piece.isEmpty()) return;
    ChatTurn& turn = turns_.last();
    turn.text += piece;
    turn.state = TurnState::streaming;
    changed(turns() - 1, {TextRole, Qt::DisplayRole, StateRole});
}

void ChatModel::finishAnswer(const AnswerStats& stats) {
    if (!isAnswering()) return;
    ChatTurn& turn = turns_.last();
    turn.stats = stats;
    turn.state = TurnState::complete;
    changed(turns() - 1, {StateRole, StatsRole});
}

void ChatModel::failAnswer(const QString& message) {
    if (!isAnswering()) return;
    ChatTurn& turn = turns_.last();
    turn.error = message;
    turn.state = TurnState::failed;
    changed(turns() - 1, {StateRole, ErrorRole});
}

void ChatModel::truncate(int rows) {
    if (rows < 0 || rows >= turns()) return;
    beginRemoveRows({}, rows, turns() - 1);
    turns_.resize(rows);
    endRemoveRows();
}

QVector<ChatEntry> ChatModel::conversation() const {
    QVector<ChatEntry> entries;
    for (const ChatTurn& turn : turns_) {
        if (turn.author == TurnAuthor::user) {
            // A question that never got an answer gives way to the next one.
            if (!entries.isEmpty() && entries.last().role == QLatin1String("user")) {
                entries.removeLast();
            }
            entries.append({QStringLiteral("user"), turn.text});
        } else if (!turn.text.isEmpty()) {
            entries.append({QStringLiteral("assistant"), turn.text});
        }
    }
    return entries;
}

void ChatModel::changed(int row, const QVector<int>& roles) {
    Q_EMIT dataChanged(index(row), index(row), roles);
}

QString stopReasonText(const QString& reason) {
    if (reason == QLatin1String("cancelled")) return ChatModel::tr("stopped");
    if (reason == QLatin1String("max_tokens")) return ChatModel::tr("cut at the token limit");
    if (reason == QLatin1String("context_full")) return ChatModel::tr("the context is full");
    if (reason == QLatin1String("stop_string")) return ChatModel::tr("ended at a stop string");
    return {};
}

static QString tokensText(int tokens) {
    return tokens == 1 ? ChatModel::tr("1 token")
                       : ChatModel::tr("%1 tokens").arg(QLocale().toString(tokens));
}

QString statsText(const AnswerStats& stats) {
    const QLocale locale;
    QStringList parts;
    const QString reason = stopReasonText(stats.stopReason);
    if (!reason.isEmpty()) parts << reason;
    if (!stats.path.isEmpty()) parts << stats.path;
    if (stats.tokens > 0) parts << tokensText(stats.tokens);
    if (stats.tokensPerSecond > 0) {
        parts << ChatModel::tr("%1 tok/s").arg(locale.toString(stats.tokensPerSecond, 'f', 1));
    }
    if (stats.firstTokenSeconds > 0) {
        parts << ChatModel::tr("first token %1 s")
                     .arg(locale.toString(stats.firstTokenSeconds, 'f', 2));
    }
    return parts.join(QStringLiteral(" · "));
}

QString markdownOf(const QVector<ChatTurn>& turns, const QString& system_prompt) {
    QStringList parts;
    if (!system_prompt.isEmpty()) {
        parts << ChatModel::tr("## System") << system_prompt;
    }
    for (const ChatTurn& turn : turns) {
        parts << (turn.author == TurnAuthor::user ? ChatModel::tr("## You")
                                                  : ChatModel::tr("## Answer"));
        if (!turn.text.isEmpty()) parts << turn.text;
        if (turn.state == TurnState::failed) {
            parts << QStringLiteral("> ") + ChatModel::tr("Failed: %1").arg(turn.error);
        }
        const QString stats = statsText(turn.stats);
        if (!stats.isEmpty()) parts << QStringLiteral("*%1*").arg(stats);
    }
    return parts.join(QStringLiteral("\n\n")) + QLatin1Char('\n');
}

}  // namespace lockstep
