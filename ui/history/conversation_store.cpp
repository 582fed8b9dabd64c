// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/history/conversation_store.h"

#include <QDir>
#include <QFileInfo>
#include <QRandomGenerator>
#include <QSqlDatabase>
#include <QSqlError>
#include <QSqlQuery>
#include <QStandardPaths>
#include <QThread>
#include <QUuid>
#include <QVariant>
#include <algorithm>
#include <atomic>

namespace lockstep {
namespace {

constexpr int schema_version = 1;
constexpr int title_length = 60;
constexpr int attempts = 50, attempt_ms = 100;  // at opening

QString usersFile() {
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) +
           QStringLiteral("/lockstep/conversations.sqlite");
}

// The first line of what was asked first.
QString titleFrom(const QVector<ChatTurn>& turns) {
    const QString line =
        turns.isEmpty() ? QString() : turns.first().text.trimmed().section(QLatin1Char('\n'), 0, 0);
    return line.size() <= title_length ? line : line.left(title_length - 1) + QChar(0x2026);
}

// A null string would be kept as NULL.
QString text(const QString& value) {
    return value.isNull() ? QStringLiteral("") : value;
}

// Words as FTS5 takes them: each quoted, so that none is an operator, and as a prefix.
QString ftsQuery(const QString& words) {
    QStringList quoted;
    for (QString word : words.split(QLatin1Char(' '), Qt::SkipEmptyParts))
        quoted << QLatin1Char('"') + word.replace(QLatin1Char('"'), QLatin1String("\"\"")) +
                      QLatin1String("\"*");
    return quoted.join(QLatin1Char(' '));
}

// What was being answered when the program ended is complete: there is no more of it.
TurnState keptState(TurnState state) {
    return state == TurnState::failed ? state : TurnState::complete;
}

}  // namespace

qint64 newConversationId() {
    static std::atomic<qint64> last = 0;
    constexpr int random_bits = 20;
    const qint64 by_time = (QDateTime::currentMSecsSinceEpoch() << random_bits) |
                           qint64(QRandomGenerator::global()->bounded(1U << random_bits));
    qint64 before = last;
    qint64 id = 0;
    do id = std::max(by_time, before + 1);
    while (!last.compare_exchange_weak(before, id));
    return id;
}

// One prepared statement; the first that fails says so in the store's problem.
class ConversationStore::Query {
  public:
    Query(ConversationStore* store, const QString& sql)
        : store_(store), query_(QSqlDatabase::database(store->connection_)) {
        prepared_ = query_.prepare(sql);
    }
    bool run(const QVariantList& values = {}) {
        for (const QVariant& value : values) query_.addBindValue(value);
        if (prepared_ && query_.exec()) return true;
        constexpr int sqlite_busy = 5;  // the low byte: more is said above it
        store_->problem_ = query_.lastError().text();
        store_->busy_ = (query_.lastError().nativeErrorCode().toInt() & 0xff) == sqlite_busy;
        return false;
    }
    bool next() { return query_.next(); }
    QVariant at(int column) const { return query_.value(column); }

  private:
    ConversationStore* store_;
    QSqlQuery query_;
    bool prepared_ = false;
};

ConversationStore::ConversationStore(const QString& file)
    : connection_(QUuid::createUuid().toString()) {
    if (!openFile(file.isEmpty() ? usersFile() : file)) return;
    // SQLite does not itself wait for another program that makes the tables at the same time.
    for (int attempt = 0; attempt < attempts && !usable_; ++attempt) {
        if (attempt > 0) QThread::msleep(attempt_ms);
        problem_.clear();
        busy_ = false;
        usable_ = makeTables();
        if (!busy_) break;
    }
}

ConversationStore::~ConversationStore() {
    QSqlDatabase::database(connection_, false).close();
    QSqlDatabase::removeDatabase(connection_);
}

bool ConversationStore::openFile(const QString& file) {
    if (!QSqlDatabase::isDriverAvailable(QStringLiteral("QSQLITE"))) {
        problem_ = QStringLiteral(
            "Qt's SQLite driver is missing: sudo apt install "
            "libqt6sql6-sqlite");
        return false;
    }
    QDir().mkpath(QFileInfo(file).path());
    QSqlDatabase database = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), connection_);
    database.setDatabaseName(file);
    if (!database.open()) problem_ = file + QStringLiteral(": ") + database.lastError().text();
    return problem_.isEmpty();
}

bool ConversationStore::run(const char* sql) {
    return Query(this, QLatin1String(sql)).run();
}

bool ConversationStore::isOurVersion() {
    Query version(this, QStringLiteral("PRAGMA user_version"));
    if (!version.run() || !version.next()) return false;
    if (version.at(0).toInt() <= schema_version) return true;
    problem_ = QStringLiteral("the conversations were written by a later version of Lockstep");
    return false;
}

bool ConversationStore::makeTables() {
    if (!run("PRAGMA busy_timeout = 5000") || !run("PRAGMA journal_mode = WAL") ||
        !run("PRAGMA synchronous = NORMAL") || !run("PRAGMA foreign_keys = ON") ||
        !isOurVersion() || !run("BEGIN IMMEDIATE"))
        return false;
    const bool made =
        run("CREATE TABLE IF NOT EXISTS conversation (id INTEGER PRIMARY KEY, title TEXT NOT "
            "NULL, "
            "renamed INTEGER NOT NULL DEFAULT 0, system_prompt TEXT NOT NULL, "
            "changed INTEGER NOT NULL)") &&
        run("CREATE TABLE IF NOT EXISTS turn (conversation INTEGER NOT NULL REFERENCES "
            "conversation (id) ON DELETE CASCADE, row INTEGER NOT NULL, author INTEGER NOT "
            "NULL, "
            "state INTEGER NOT NULL, text TEXT NOT NULL, error TEXT NOT NULL, tokens INTEGER, "
            "tokens_per_second REAL, first_token_seconds REAL, path TEXT, stop_reason TEXT, "
            "PRIMARY KEY (conversation, row))") &&
        run("CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5 (title, content)") &&
        run("PRAGMA user_version = 1") && run("COMMIT");
    if (!made) QSqlDatabase::database(connection_).rollback();
    return made;
}

qint64 ConversationStore::save(qint64 id, const Conversation& conversation) {
    QSqlDatabase database = QSqlDatabase::database(connection_);
    if (!usable_) return 0;
    turns_written_ = 0;
    if (id == 0) {
        id = newConversationId();
    } else if (isSaved(id, conversation)) {
        return id;
    }
    if (!database.transaction()) {
        problem_ = database.lastError().text();
        return 0;
    }
    if (saveHead(id, conversation) && saveTurns(id, conversation.turns) && index(id) &&
        database.commit()) {
        saved_ = conversation;
        saved_at_ = othersChanges();
        return id;
    }
    database.rollback();
    saved_id_ = 0;
    return 0;
}

bool ConversationStore::saveHead(qint64 id, const Conversation& conversation) {
    const QString own = conversation.title;
    const QString title = own.isEmpty() ? titleFrom(conversation.turns) : own;
    const qint64 now = QDateTime::currentMSecsSinceEpoch();
    return Query(this, QStringLiteral("INSERT INTO conversation (id, title, renamed, "
                                      "system_prompt, changed) VALUES (?, ?, ?, ?, ?) "
                                      "ON CONFLICT (id) DO UPDATE SET title = CASE WHEN renamed "
                                      "THEN title ELSE excluded.title END, "
                                      "system_prompt = excluded.system_prompt, "
                                      "changed = excluded.changed"))
        .run({id, text(title), !own.isEmpty(), text(conversation.system_prompt), now});
}

// Another number once another program has written to the file.
qint64 ConversationStore::othersChanges() {
    Query version(this, QStringLiteral("PRAGMA data_version"));
    return version.run() && version.next() ? version.at(0).toLongLong() : -1;
}

// saved_ is what the file holds of this one.
void ConversationStore::recall(qint64 id) {
    const qint64 now = othersChanges();
    if (id == saved_id_ && now == saved_at_) return;
    saved_ = load(id).value_or(Conversation{});
    saved_id_ = id;
    saved_at_ = now;
}

bool ConversationStore::isSaved(qint64 id, const Conversation& conversation) {
    recall(id);
    return !saved_.turns.isEmpty() && saved_.turns == conversation.turns &&
           saved_.system_prompt == conversation.system_prompt &&
           (conversation.title.isEmpty() || conversation.title == saved_.title);
}

bool ConversationStore::saveTurns(qint64 id, const QVector<ChatTurn>& turns) {
    recall(id);  // once more: nobody else writes from here on
    const auto differ =
        std::mismatch(turns.cbegin(), turns.cend(), saved_.turns.cbegin(), saved_.turns.cend());
    const int same = int(differ.first - turns.cbegin());
    if (!Query(this, QStringLiteral("DELETE FROM turn WHERE conversation = ? AND row >= ?"))
             .run({id, same}))
        return false;
    for (int row = same; row < turns.size(); ++row) {
        const ChatTurn& turn = turns[row];
        const AnswerStats& stats = turn.stats;
        Query insert(this,
                     QStringLiteral("INSERT INTO turn VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
        if (!insert.run({id, row, int(turn.author), int(keptState(turn.state)), text(turn.text),
                         text(turn.error), stats.tokens, stats.tokensPerSecond,
                         stats.firstTokenSeconds, text(stats.path), text(stats.stopReason)}))
            return false;
        ++turns_written_;
    }
    return true;
}

bool ConversationStore::index(qint64 id) {
    return Query(this, QStringLiteral("DELETE FROM said WHERE rowid = ?")).run({id}) &&
           Query(this,
                 QStringLiteral("INSERT INTO said (rowid, title, content) SELECT c.id, c.title, "
                                "(SELECT group_concat(text, char(10)) FROM turn WHERE "
                                "conversation = c.id) FROM conversation c WHERE c.id = ?"))
               .run({id});
}

std::optional<Conversation> ConversationStore::load(qint64 id) {
    Query head(this, QStringLiteral("SELECT title, system_prompt FROM conversation WHERE id = ?"));
    if (!head.run({id}) || !head.next()) return std::nullopt;
    Conversation conversation{head.at(0).toString(), head.at(1).toString(), {}};
    Query turns(this,
                QStringLiteral("SELECT author, state, text, error, tokens, tokens_per_second, "
                               "first_token_seconds, path, stop_reason FROM turn WHERE "
                               "conversation = ? ORDER BY row"));
    if (!turns.run({id})) return std::nullopt;
    while (turns.next()) {
        ChatTurn turn;
        turn.author =
            turns.at(0).toInt() == int(TurnAuthor::user) ? TurnAuthor::user : TurnAuthor::assistant;
        turn.state =
            turns.at(1).toInt() == int(TurnState::failed) ? TurnState::failed : TurnState::complete;
        turn.text = turns.at(2).toString();
        turn.error = turns.at(3).toString();
        turn.stats = {turns.at(4).toInt(), turns.at(5).toDouble(), turns.at(6).toDouble(),
                      turns.at(7).toString(), turns.at(8).toString()};
        conversation.turns.append(turn);
    }
    return conversation;
}

QVector<ConversationInfo> ConversationStore::list(const QString& words) {
    const QString wanted = ftsQuery(words);
    const QString select = QStringLiteral("SELECT id, title, changed FROM conversation ");
    const QString order = QStringLiteral(" ORDER BY changed DESC, id DESC");
    Query query(this, wanted.isEmpty() ? select + order
                                       : select +
                                             QStringLiteral("WHERE id IN (SELECT rowid FROM said "
                                                            "WHERE said MATCH ?)") +
                                             order);
    QVector<ConversationInfo> found;
    if (!query.run(wanted.isEmpty() ? QVariantList() : QVariantList{wanted})) return found;
    while (query.next())
        found.append({query.at(0).toLongLong(), query.at(1).toString(),
                      QDateTime::fromMSecsSinceEpoch(query.at(2).toLongLong())});
    return found;
}

bool ConversationStore::rename(qint64 id, const QString& title) {
    return Query(this,
                 QStringLiteral("UPDATE conversation SET title = ?, renamed = 1 WHERE id = ?"))
               .run({title, id}) &&
           index(id);
}

bool ConversationStore::remove(qint64 id) {
    if (id == saved_id_) saved_id_ = 0;
    return Query(this, QStringLiteral("DELETE FROM said WHERE rowid = ?")).run({id}) &&
           Query(this, QStringLiteral("DELETE FROM conversation WHERE id = ?")).run({id});
}

}  // namespace lockstep
