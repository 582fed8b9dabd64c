// SPDX-License-Identifier: GPL-3.0-or-later
// Conversations outlive the window, also one that crashes; they are found, renamed and deleted.
#include <QAbstractItemModelTester>
#include <QListView>
#include <QSqlDatabase>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
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
    void found_data();
    void found();
    void renamedStays();
    void garbageFile();
    void modelUnderTester();
    void savedWhileItGrows();
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
    ConversationStore store(file(QStringLiteral("model.sqlite")));
    ConversationModel model(&store);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    const qint64 first = store.save(0, {{}, {}, {asked(QStringLiteral("one"))}});
    store.save(0, {{}, {}, {asked(QStringLiteral("two"))}});
    model.refresh();
    QCOMPARE(model.rowCount(), 2);
    QVERIFY(model.setData(model.indexOf(first), QStringLiteral("uno"), Qt::EditRole));
    QVERIFY(!model.setData(model.indexOf(first), QStringLiteral("  "), Qt::EditRole));
    model.setSearch(QStringLiteral("uno"));
    QCOMPARE(model.rowCount(), 1);
    QVERIFY(model.remove(model.index(0)));
    model.setSearch({});
    QCOMPARE(model.data(model.index(0), Qt::DisplayRole).toString(), QStringLiteral("two"));
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
    QVERIFY(panel.current() > first);
    QCOMPARE(panel.model()->rowCount(), 2);
    panel.open(first);
    QCOMPARE(chat.model()->turns(), 2);
    QCOMPARE(chat.model()->turn(1).text, QStringLiteral("first answer"));
    converse(&chat, QStringLiteral("third question"), QStringLiteral("third answer"));
    QCOMPARE(panel.current(), first);
    QCOMPARE(panel.model()->rowCount(), 2);
    auto* remove = named<QToolButton>(&panel, QStringLiteral("Delete the conversation (Del)"));
    QVERIFY(remove);
    remove->click();
    QCOMPARE(panel.model()->rowCount(), 1);
    QCOMPARE(chat.model()->turns(), 0);
    QCOMPARE(panel.current(), qint64(0));
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
    QCOMPARE(again.history()->model()->rowCount(), 1);
    QCOMPARE(again.chat()->model()->turns(), 0);  // the new chat was the last one open
    again.history()->open(id);
    QCOMPARE(again.chat()->model()->turns(), 4);
    QCOMPARE(again.chat()->model()->turn(0).text, QStringLiteral("What did I ask?"));
    QCOMPARE(again.chat()->model()->turn(1).text, first);
    QCOMPARE(again.chat()->model()->turn(3).text, second);
    QCOMPARE(again.chat()->model()->turn(3).stats.tokens, int(tokens));
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
    QCOMPARE(third.chat()->model()->turns(), 4);
}

QTEST_MAIN(TestHistory)
#include "tst_history.moc"
