// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "ui/chat/chat_model.h"

using namespace lockstep;

namespace {

constexpr auto fatal = QAbstractItemModelTester::FailureReportingMode::QtTest;

QStringList describe(const QVector<ChatEntry>& entries) {
    QStringList lines;
    for (const ChatEntry& entry : entries) lines << entry.role + ": " + entry.content;
    return lines;
}

}  // namespace

class TestChatModel : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_whole_life_is_a_sound_model() {
        ChatModel model;
        QAbstractItemModelTester tester(&model, fatal);
        model.addUser("hello");
        model.beginAnswer();
        QVERIFY(model.isAnswering());
        model.appendToAnswer("a");
        model.appendToAnswer("b");
        model.finishAnswer({2, 10, 0.1, "fused", "end_of_text"});
        QVERIFY(!model.isAnswering());
        QCOMPARE(model.index(1).data(ChatModel::TextRole).toString(), "ab");
        QCOMPARE(model.index(1).data(ChatModel::StatsRole).value<AnswerStats>().tokens, 2);
        QCOMPARE(model.index(0).data(ChatModel::AuthorRole).toInt(),
                 static_cast<int>(TurnAuthor::user));
        model.truncate(1);
        QCOMPARE(model.rowCount(), 1);
        model.beginAnswer();
        model.failAnswer("no");
        QCOMPARE(model.index(1).data(ChatModel::ErrorRole).toString(), "no");
        model.setTurns({});
        QCOMPARE(model.rowCount(), 0);
    }

    void an_append_tells_of_one_row() {
        ChatModel model;
        model.addUser("hello");
        model.beginAnswer();
        QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
        model.appendToAnswer("x");
        QCOMPARE(changed.size(), 1);
        QCOMPARE(changed[0][0].toModelIndex().row(), 1);
        QVERIFY(changed[0][2].value<QList<int>>().contains(ChatModel::TextRole));
    }

    void what_comes_without_a_question_is_dropped() {
        ChatModel model;
        model.appendToAnswer("x");
        model.finishAnswer({});
        model.failAnswer("x");
        QCOMPARE(model.rowCount(), 0);
        model.addUser("hello");
        model.appendToAnswer("x");
        QCOMPARE(model.turn(0).text, "hello");
    }

    void roles_alternate_whatever_happened_data() {
        QTest::addColumn<QStringList>("story");  // u: user, a: answer, e: error, s: stopped empty
        QTest::addColumn<QStringList>("entries");
        QTest::newRow("plain") << QStringList{"u1", "a1", "u2"}
                               << QStringList{"user: u1", "assistant: a1", "user: u2"};
        QTest::newRow("failed") << QStringList{"u1", "e", "u2"} << QStringList{"user: u2"};
        QTest::newRow("failed later") << QStringList{"u1", "a1", "u2", "e", "u3"}
                                      << QStringList{"user: u1", "assistant: a1", "user: u3"};
        QTest::newRow("stopped at once") << QStringList{"u1", "s", "u2"} << QStringList{"user: u2"};
        QTest::newRow("to be retried") << QStringList{"u1", "a1", "u2", "e"}
                                       << QStringList{"user: u1", "assistant: a1", "user: u2"};
    }
    void roles_alternate_whatever_happened() {
        QFETCH(QStringList, story);
        QFETCH(QStringList, entries);
        ChatModel model;
        for (const QString& event : story) {
            if (event[0] == 'u') {
                model.addUser(event);
                continue;
            }
            model.beginAnswer();
            if (event[0] == 'a') model.appendToAnswer(event);
            if (event[0] == 'e') model.failAnswer("broken");
            model.finishAnswer({});
        }
        QCOMPARE(describe(model.conversation()), entries);
    }

    void an_answer_broken_off_keeps_its_text() {
        ChatModel model;
        model.addUser("u");
        model.beginAnswer();
        model.appendToAnswer("half");
        model.failAnswer("out of memory");
        QCOMPARE(describe(model.conversation()), QStringList({"user: u", "assistant: half"}));
    }

    void figures_read_well_data() {
        QTest::addColumn<AnswerStats>("stats");
        QTest::addColumn<QString>("text");
        QTest::newRow("usual") << AnswerStats{128, 53.24, 0.213, "fused", "end_of_text"}
                               << "fused · 128 tokens · 53.2 tok/s · first token 0.21 s";
        QTest::newRow("one") << AnswerStats{1, 0, 0.5, "truth", "end_of_text"}
                             << "truth · 1 token · first token 0.50 s";
        QTest::newRow("stopped") << AnswerStats{5, 0, 0, "fused, then reference", "cancelled"}
                                 << "stopped · fused, then reference · 5 tokens";
        QTest::newRow("limit") << AnswerStats{5, 0, 0, "", "max_tokens"}
                               << "cut at the token limit · 5 tokens";
        QTest::newRow("full") << AnswerStats{5, 0, 0, "", "context_full"}
                              << "the context is full · 5 tokens";
        QTest::newRow("nothing") << AnswerStats{} << "";
    }
    void figures_read_well() {
        QLocale::setDefault(QLocale::c());
        QFETCH(AnswerStats, stats);
        QFETCH(QString, text);
        QCOMPARE(statsText(stats), text);
    }

    void export_holds_everything() {
        const QVector<ChatTurn> turns{{.author = TurnAuthor::user, .text = "Why?"},
                                      {.author = TurnAuthor::assistant,
                                       .state = TurnState::failed,
                                       .text = "Because",
                                       .error = "memory"}};
        QCOMPARE(markdownOf(turns, "Be brief."),
                 "## System\n\nBe brief.\n\n## You\n\nWhy?\n\n## Answer\n\nBecause\n\n"
                 "> Failed: memory\n");
    }
};

QTEST_APPLESS_MAIN(TestChatModel)
#include "tst_chat_model.moc"
