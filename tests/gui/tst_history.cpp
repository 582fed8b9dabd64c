// SPDX-License-Identifier: GPL-3.0-or-later
// Conversations outlive the window, also one that crashes; they are found, renamed and deleted.
#include <QAbstractItemModelTester>
#include <QListView>
#include <QSignalSpy>
#include <QSqlDatabase>
#include <QSqlQuery>
#include <QToolButton>
#include <mutex>
#include <thread>

#include "core/run/engine.h"
#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/chat/context_meter.h"
#include "ui/chat_messages.h"
#include "ui/history/conversation_model.h"
#include "ui/history/history_panel.h"

using namespace lockstep;
using namespace lockstep::test;

class TestHistory : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase() {
        if (!QSqlDatabase::isDriverAvailable(QStringLiteral("QSQLITE")))
            QSKIP("Qt's SQLite driver is not installed (libqt6sql6-sqlite)");
    }
    void savedAndLoaded();
    void writesWhatChanged();
    void readingChangesNothing();
    void anotherProgramsTurnsAreNotTakenForItsOwn();
    void openedByManyAtOnce();
    void idsAreNew();
    void found_data();
    void found();
    void renamedStays();
    void garbageFile();
    void modelUnderTester();
    void modelKeepsItsRows();
    void savedWhileItGrows();
    void nobodyWaitsForAnotherProgram();
    void problemIsTold();
    void panelOpensRenamesDeletes();
    void reopensInANewWindow();

  private:
    QTemporaryDir folder_;
    QString file(const QString& name) const { return folder_.filePath(name); }
};

static ChatTurn asked(const QString& text) {
    return {TurnAuthor::user, TurnState::complete, text};
}

static ChatTurn answered(const QString& text) {
    ChatTurn turn{TurnAuthor::assistant, TurnState::complete, text};
    turn.stats = {12, 34.5, 0.25, QStringLiteral("fused, then reference"),
                  QStringLiteral("end_of_text")};
    return turn;
}

void TestHistory::savedAndLoaded() {
    Conversation wanted{QStringLiteral("Ships"),
                        QStringLiteral("Be brief."),
                        {asked(QStringLiteral("A'; DROP TABLE turn; --")),
                         answered(QString::fromUtf8("Grüße 🚢\nsecond line"))}};
    ChatTurn failed{TurnAuthor::assistant, TurnState::failed, QString("half")};
    failed.error = QStringLiteral("why");
    wanted.turns << asked(QStringLiteral("more")) << failed;
    qint64 id = 0;
    {
        ConversationStore store(file(QStringLiteral("saved.sqlite")));
        QVERIFY2(store.problem().isEmpty(), qPrintable(store.problem()));
        id = store.save(0, wanted);
        QVERIFY(id > 0);
        QCOMPARE(store.save(id, wanted), id);
    }
    ConversationStore again(file(QStringLiteral("saved.sqlite")));
    const auto loaded = again.load(id);
    QVERIFY(loaded);
    QCOMPARE(loaded->title, wanted.title);
    QCOMPARE(loaded->system_prompt, wanted.system_prompt);
    QCOMPARE(loaded->turns.size(), wanted.turns.size());
    for (int i = 0; i < wanted.turns.size(); ++i) QCOMPARE(loaded->turns[i], wanted.turns[i]);
    QVERIFY(!again.load(id + 1));
    QVERIFY(again.remove(id));
    QVERIFY(!again.load(id));
    QVERIFY(again.list().isEmpty());
}

// An answer that is asked for again costs that answer, however long the chat is.
void TestHistory::writesWhatChanged() {
    ConversationStore store(file(QStringLiteral("changed.sqlite")));
    Conversation conversation;
    for (int i = 0; i < 20; ++i)
        conversation.turns << asked(QString::number(i)) << answered(QString::number(i));
    const qint64 id = store.save(0, conversation);
    QCOMPARE(store.turnsWritten(), 40);
    conversation.turns.last().text = QStringLiteral("better");
    QCOMPARE(store.save(id, conversation), id);
    QCOMPARE(store.turnsWritten(), 1);
    conversation.turns << asked(QStringLiteral("more"));
    store.save(id, conversation);
    QCOMPARE(store.turnsWritten(), 1);
    conversation.turns.resize(7);
    store.save(id, conversation);
    QCOMPARE(store.turnsWritten(), 0);
    QCOMPARE(store.load(id)->turns, conversation.turns);
    conversation.turns[2].text = QStringLiteral("edited");
    store.save(id, conversation);
    QCOMPARE(store.turnsWritten(), 5);
    QCOMPARE(store.load(id)->turns, conversation.turns);
    // Another conversation between: nothing of it is taken for this one.
    store.save(0, {{}, {}, conversation.turns});
    QCOMPARE(store.turnsWritten(), 7);
    QVERIFY(store.remove(id));
    store.save(id, conversation);
    QCOMPARE(store.load(id)->turns, conversation.turns);
}

// Who reads an old conversation and leaves it finds it where it was.
void TestHistory::readingChangesNothing() {
    const QString path = file(QStringLiteral("read.sqlite"));
    Conversation old{{}, QStringLiteral("Be brief."), {asked(QStringLiteral("old"))}};
    qint64 id = 0;
    {
        ConversationStore store(path);
        id = store.save(0, old);
        store.save(0, {{}, {}, {asked(QStringLiteral("new"))}});
    }
    ConversationStore store(path);
    const QVector<ConversationInfo> before = store.list();
    QCOMPARE(before.last().id, id);
    QTest::qWait(2);  // another millisecond
    QCOMPARE(store.save(id, *store.load(id)), id);
    QCOMPARE(store.save(id, {{}, old.system_prompt, old.turns}), id);
    QCOMPARE(store.turnsWritten(), 0);
    QCOMPARE(store.list(), before);
    old.system_prompt.clear();
    QCOMPARE(store.save(id, {{}, {}, old.turns}), id);
    QCOMPARE(store.list().first().id, id);
    QVERIFY(store.load(id)->system_prompt.isEmpty());
}

void TestHistory::anotherProgramsTurnsAreNotTakenForItsOwn() {
    const QString path = file(QStringLiteral("two.sqlite"));
    ConversationStore one(path), other(path);
    Conversation conversation{{}, {}, {asked(QStringLiteral("a")), answered(QStringLiteral("b"))}};
    const qint64 id = one.save(0, conversation);
    QCOMPARE(other.save(id, {{}, {}, {asked(QStringLiteral("x")), answered({})}}), id);
    conversation.turns.last().text = QStringLiteral("c");
    one.save(id, conversation);
    QCOMPARE(one.turnsWritten(), 2);
    QCOMPARE(other.load(id)->turns, conversation.turns);
}

// Windows that start at the same time, where there is no file yet.
void TestHistory::openedByManyAtOnce() {
    for (int round = 0; round < 5; ++round) {
        const QString path = file(QStringLiteral("many%1.sqlite").arg(round));
        QStringList problems;
        std::mutex mutex;
        std::vector<std::thread> windows;
        for (int i = 0; i < 4; ++i)
            windows.emplace_back([&] {
                ConversationStore store(path);
                store.save(0, {{}, {}, {asked(QStringLiteral("hello"))}});
                const std::scoped_lock lock(mutex);
                problems << store.problem();
            });
        for (std::thread& window : windows) window.join();
        QCOMPARE(problems.join(QString()), QString());
        QCOMPARE(ConversationStore(path).list().size(), 4);
    }
}

void TestHistory::idsAreNew() {
    qint64 last = 0;
    for (int i = 0; i < 1000; ++i) {
        const qint64 id = newConversationId();
        QVERIFY(id > last);
        last = id;
    }
}

void TestHistory::found_data() {
    QTest::addColumn<QString>("words");
    QTest::addColumn<QStringList>("titles");
    const QString sea = QStringLiteral("About the sea"), cake = QStringLiteral("Cakes");
    QTest::newRow("everything") << QString() << QStringList{cake, sea};
    QTest::newRow("in a title") << QStringLiteral("cakes") << QStringList{cake};
    QTest::newRow("in what was said") << QStringLiteral("whales") << QStringList{sea};
    QTest::newRow("a beginning") << QStringLiteral("wha") << QStringList{sea};
    QTest::newRow("two words") << QStringLiteral("whales deep") << QStringList{sea};
    QTest::newRow("not both") << QStringLiteral("whales sugar") << QStringList();
    QTest::newRow("operators are words") << QStringLiteral("NOT whales") << QStringList();
    QTest::newRow("quotes") << QStringLiteral("\"whales") << QStringList{sea};
    QTest::newRow("only signs") << QStringLiteral("* ( \" -") << QStringList();
}

void TestHistory::found() {
    QFETCH(QString, words);
    QFETCH(QStringList, titles);
    ConversationStore store(file(QStringLiteral("found.sqlite")));
    if (store.list().isEmpty()) {
        store.save(0, {{},
                       {},
                       {asked(QStringLiteral("About the sea")),
                        answered(QStringLiteral("Whales live in the deep."))}});
        store.save(
            0,
            {{}, {}, {asked(QStringLiteral("Cakes")), answered(QStringLiteral("Sugar, flour."))}});
    }
    QStringList found;
    for (const ConversationInfo& info : store.list(words)) found << info.title;
    QCOMPARE(found, titles);
}

void TestHistory::renamedStays() {
    ConversationStore store(file(QStringLiteral("renamed.sqlite")));
    Conversation conversation{{}, {}, {asked(QStringLiteral("first words"))}};
    const qint64 id = store.save(0, conversation);
    QCOMPARE(store.list().first().title, QStringLiteral("first words"));
    QVERIFY(store.rename(id, QStringLiteral("My title")));
    conversation.turns << answered(QStringLiteral("and on"));
    store.save(id, conversation);
    QCOMPARE(store.list().first().title, QStringLiteral("My title"));
}

void TestHistory::garbageFile() {
    QFile garbage(file(QStringLiteral("garbage.sqlite")));
    QVERIFY(garbage.open(QIODevice::WriteOnly));
    garbage.write(QByteArray(4096, 'x'));
    garbage.close();
    ConversationStore store(garbage.fileName());
    QVERIFY(!store.problem().isEmpty());
    QVERIFY(store.list().isEmpty());
    QCOMPARE(store.save(0, {{}, {}, {asked(QStringLiteral("a"))}}), qint64(0));
    QVERIFY(garbage.open(QIODevice::ReadOnly));
    QCOMPARE(garbage.readAll(), QByteArray(4096, 'x'));  // not ours to overwrite
}

void TestHistory::modelUnderTester() {
    ConversationKeeper keeper(file(QStringLiteral("model.sqlite")));
    ConversationModel model(&keeper);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    const qint64 first = newConversationId();
    keeper.save(first, {{}, {}, {asked(QStringLiteral("one"))}});
    keeper.save(newConversationId(), {{}, {}, {asked(QStringLiteral("two"))}});
    model.refresh();
    QTRY_COMPARE(model.rowCount(), 2);
    QVERIFY(model.setData(model.indexOf(first), QStringLiteral("uno"), Qt::EditRole));
    QVERIFY(!model.setData(model.indexOf(first), QStringLiteral("  "), Qt::EditRole));
    model.setSearch(QStringLiteral("uno"));
    QTRY_COMPARE(model.rowCount(), 1);
    QVERIFY(model.remove(model.index(0)));
    QCOMPARE(model.rowCount(), 0);
    model.setSearch({});
    QTRY_COMPARE(model.rowCount(), 1);
    QCOMPARE(model.data(model.index(0), Qt::DisplayRole).toString(), QStringLiteral("two"));
}

// Who renames a conversation goes on doing so while another one is saved, and moves up.
void TestHistory::modelKeepsItsRows() {
    ConversationKeeper keeper(file(QStringLiteral("rows.sqlite")));
    ConversationModel model(&keeper);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QVector<qint64> ids;
    for (const char* title : {"one", "two", "three"}) {
        ids << newConversationId();
        keeper.save(ids.last(), {{}, {}, {asked(QLatin1String(title))}});
        QTest::qSleep(2);
    }
    model.refresh();
    QTRY_COMPARE(model.rowCount(), 3);
    const QPersistentModelIndex second = model.indexOf(ids[1]);
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    keeper.save(ids[0], {{}, {}, {asked(QStringLiteral("one, again"))}});
    keeper.remove(ids[2]);
    keeper.save(newConversationId(), {{}, {}, {asked(QStringLiteral("four"))}});
    model.refresh();
    QTRY_COMPARE(model.data(model.index(0), Qt::DisplayRole).toString(), QStringLiteral("four"));
    QCOMPARE(model.data(model.index(1), Qt::DisplayRole).toString(), QStringLiteral("one, again"));
    QCOMPARE(model.rowCount(), 3);
    QCOMPARE(model.idAt(second), ids[1]);
    QVERIFY(reset.isEmpty());
}

// The page as an engine would fill it; no model is needed.
static void converse(ChatPage* chat, const QString& question, const QString& answer) {
    chat->setReady(true);
    chat->send(question);
    chat->appendText(answer);
    chat->finishAnswer({3, 10, 0.1, QStringLiteral("fused"), QStringLiteral("end_of_text")});
}

void TestHistory::savedWhileItGrows() {
    const QString path = file(QStringLiteral("grows.sqlite"));
    ChatPage chat;
    HistoryPanel panel(path, &chat);
    chat.setReady(true);
    chat.send(QStringLiteral("Tell me a story"));
    chat.appendText(QStringLiteral("Once upon a time"));
    // A crash now: another program reads what there is, without this one having ended.
    ConversationStore other(path);
    QTRY_VERIFY_WITH_TIMEOUT(!other.list().isEmpty(), 5000);
    const auto kept = other.load(other.list().first().id);
    QVERIFY(kept);
    QCOMPARE(kept->turns.size(), 2);
    QCOMPARE(kept->turns[1].text, QStringLiteral("Once upon a time"));
    QCOMPARE(kept->turns[1].state, TurnState::complete);
}

// The disk, or another program that writes, is the keeper's to wait for.
void TestHistory::nobodyWaitsForAnotherProgram() {
    const QString path = file(QStringLiteral("busy.sqlite"));
    ChatPage chat;
    HistoryPanel panel(path, &chat);
    panel.finishSaving();  // the file is there
    QSqlDatabase other = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), "other");
    other.setDatabaseName(path);
    QVERIFY(other.open());
    QVERIFY(QSqlQuery(other).exec(QStringLiteral("BEGIN IMMEDIATE")));
    converse(&chat, QStringLiteral("question"), QStringLiteral("answer"));
    // Here it goes on, and nothing could have been written yet.
    const qint64 id = panel.current();
    QVERIFY(id > 0);
    QSqlQuery count(other);
    QVERIFY(count.exec(QStringLiteral("SELECT count(*) FROM turn")) && count.next());
    QCOMPARE(count.value(0).toInt(), 0);
    count.finish();
    QVERIFY(QSqlQuery(other).exec(QStringLiteral("COMMIT")));
    panel.finishSaving();
    QVERIFY(count.exec(QStringLiteral("SELECT count(*) FROM turn")) && count.next());
    QCOMPARE(count.value(0).toInt(), 2);
}

void TestHistory::problemIsTold() {
    QFile garbage(file(QStringLiteral("told.sqlite")));
    QVERIFY(garbage.open(QIODevice::WriteOnly));
    garbage.write(QByteArray(4096, 'x'));
    garbage.close();
    ChatPage chat;
    HistoryPanel panel(garbage.fileName(), &chat);
    QSignalSpy told(&panel, &HistoryPanel::problemFound);
    QTRY_COMPARE(told.size(), 1);
    QVERIFY(!told.first().first().toString().isEmpty());
    converse(&chat, QStringLiteral("question"), QStringLiteral("answer"));
    panel.finishSaving();
    QCoreApplication::processEvents();
    QCOMPARE(told.size(), 1);
    QCOMPARE(chat.model()->turns(), 2);
}

void TestHistory::panelOpensRenamesDeletes() {
    ChatPage chat;
    HistoryPanel panel(file(QStringLiteral("panel.sqlite")), &chat);
    panel.show();
    QAbstractItemModelTester tester(panel.model(),
                                    QAbstractItemModelTester::FailureReportingMode::QtTest);
    converse(&chat, QStringLiteral("first question"), QStringLiteral("first answer"));
    const qint64 first = panel.current();
    QVERIFY(first > 0);
    chat.newChat();
    QCOMPARE(panel.current(), qint64(0));
    converse(&chat, QStringLiteral("second question"), QStringLiteral("second answer"));
    QVERIFY(panel.current() != first);
    QTRY_COMPARE(panel.model()->rowCount(), 2);
    panel.open(first);
    QTRY_COMPARE(chat.model()->turn(0).text, QStringLiteral("first question"));
    QCOMPARE(chat.model()->turns(), 2);
    QCOMPARE(chat.model()->turn(1).text, QStringLiteral("first answer"));
    panel.open(panel.model()->idAt(panel.model()->index(0)));
    QTRY_COMPARE(chat.model()->turn(0).text, QStringLiteral("second question"));
    QTest::qWait(100);  // for what might be saved, and listed anew
    QCOMPARE(panel.model()->idAt(panel.model()->index(1)), first);  // where it was
    panel.open(first);
    QTRY_COMPARE(chat.model()->turn(0).text, QStringLiteral("first question"));
    converse(&chat, QStringLiteral("third question"), QStringLiteral("third answer"));
    QCOMPARE(panel.current(), first);
    QTRY_COMPARE(panel.model()->data(panel.model()->index(0), Qt::DisplayRole).toString(),
                 QStringLiteral("first question"));
    QCOMPARE(panel.model()->rowCount(), 2);
    // Who asks meanwhile stays where he is.
    panel.open(panel.model()->idAt(panel.model()->index(1)));
    converse(&chat, QStringLiteral("fourth question"), QStringLiteral("fourth answer"));
    panel.finishSaving();
    QTest::qWait(50);
    QCOMPARE(panel.current(), first);
    QCOMPARE(chat.model()->turns(), 6);
    auto* remove = named<QToolButton>(&panel, QStringLiteral("Delete the conversation (Del)"));
    QVERIFY(remove);
    remove->click();
    QCOMPARE(panel.model()->rowCount(), 1);
    QCOMPARE(chat.model()->turns(), 0);
    QCOMPARE(panel.current(), qint64(0));
}

// What the meter says of the page's conversation before the engine knows it.
static QString contextText(const MainWindow& window) {
    const LoadedModel& model = window.modelInUse();
    const auto prompt =
        prepare_chat(*model.model.lock(), chatMessages(window.chat()->conversation()));
    ContextMeter meter;
    meter.setUse(prompt ? qint64(prompt->ids.size()) : -1, model.context);
    return meter.text();
}

void TestHistory::reopensInANewWindow() {
    const QString model = file(QStringLiteral("tiny"));
    QVERIFY(write_tiny_model(byte_recipe(), model.toStdString()));
    WindowFixture fixture;
    QString first, second;
    qint64 id = 0, tokens = 0;
    {
        MainWindow& window = fixture.open(model);
        VERIFY_LOADED(window);
        fixture.change([](Settings& s) { s.max_tokens = 8; });
        window.chat()->send(QStringLiteral("What did I ask?"));
        VERIFY_ANSWERED(window);
        first = fixture.lastText();
        id = window.history()->current();
        QVERIFY(id > 0);
        // What the next answer would be, had the window stayed open.
        window.chat()->send(QStringLiteral("And now?"));
        VERIFY_ANSWERED(window);
        second = fixture.lastText();
        tokens = fixture.lastTurn().stats.tokens;
        window.chat()->newChat();
        fixture.close();
    }
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QTRY_COMPARE(again.history()->model()->rowCount(), 1);
    QCOMPARE(again.chat()->model()->turns(), 0);  // the new chat was the last one open
    again.history()->open(id);
    QTRY_COMPARE(again.chat()->model()->turns(), 4);
    QCOMPARE(again.chat()->model()->turn(0).text, QStringLiteral("What did I ask?"));
    QCOMPARE(again.chat()->model()->turn(1).text, first);
    QCOMPARE(again.chat()->model()->turn(3).text, second);
    QCOMPARE(again.chat()->model()->turn(3).stats.tokens, int(tokens));
    auto* meter = again.chat()->findChild<ContextMeter*>();
    QVERIFY(meter);
    QTRY_COMPARE(meter->text(), contextText(again));
    // The model is told of all of it: the last answer again is the same answer.
    auto* answer_again = named<QToolButton>(again.chat(), QStringLiteral("Answer again"));
    QVERIFY(answer_again);
    answer_again->click();
    QVERIFY(again.chat()->isAnswering());
    VERIFY_ANSWERED(again);
    QCOMPARE(fixture.lastText(), second);
    fixture.close();
    // And it is the one that is open at the next start.
    MainWindow& third = fixture.open();
    QCOMPARE(third.history()->current(), id);
    QTRY_COMPARE(third.chat()->model()->turns(), 4);
    VERIFY_LOADED(third);
    QTRY_COMPARE(third.chat()->findChild<ContextMeter*>()->text(), contextText(third));
    third.chat()->newChat();
    QVERIFY(third.chat()->findChild<ContextMeter*>()->text().startsWith(QLatin1String("0 ")));
}

QTEST_MAIN(TestHistory)
#include "tst_history.moc"
