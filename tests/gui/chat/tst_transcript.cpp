// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAbstractButton>
#include <QAccessible>
#include <QSignalSpy>
#include <QTextBlock>
#include <QTest>

#include "tests/gui/chat/sample_chat.h"
#include "tests/gui/chat/transcript_fixture.h"
#include "ui/chat/prose_block.h"
#include "ui/theme/colors.h"
#include "ui/theme/theme.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

ProseDocument* prose(const QString& markdown) {
    static const TextStyle style(lightPalette(), QGuiApplication::font(), nullptr);
    MarkdownBlock block;
    block.text = markdown;
    return new ProseDocument(block, style);
}

}  // namespace

class TestTranscript : public QObject {
    Q_OBJECT

    std::unique_ptr<Theme> theme_;

  private Q_SLOTS:
    void initTestCase() { theme_ = std::make_unique<Theme>(); }
    void cleanupTestCase() { theme_.reset(); }

    void shows_markdown_as_text_data() {
        QTest::addColumn<QString>("markdown");
        QTest::addColumn<QString>("text");
        const auto row = [](const char* name, const char* markdown, const char* text) {
            QTest::newRow(name) << QString::fromUtf8(markdown) << QString::fromUtf8(text);
        };
        row("emphasis", "**a** *b* `c`", "a b c");
        row("html", "<b>a</b> <script>x</script> &amp;", "<b>a</b> <script>x</script> &");
        row("image", "see ![a cat](https://example.org/cat.png)!", "see a cat!");
        row("image of a file", "![x](file:///etc/passwd)", "x");
        row("list", "1. a\n2. b\n   - c", "1. a\n2. b\n  • c");
        row("loose list", "- a\n\n- b", "• a\n\n• b");
        row("table", "| a | b |\n|---|---|\n| 1 | 2 |", "a\tb\n1\t2");
        row("code", "x\n\n```py\n  y\n\nz\n```", "x\n\n  y\n\nz");
        row("rule", "a\n\n---\n\nb", "a\n\n\n\nb");
        row("quote", "> a\n> b", "a b");
        row("think", "<think>\nhm\n</think>\nyes", "<think> hm </think> yes");
        row("maths", "$a_1 * b_2$", "$a_1 * b_2$");
    }
    void shows_markdown_as_text() {
        QFETCH(QString, markdown);
        QFETCH(QString, text);
        View v;
        v.answer(markdown);
        QCOMPARE(v.shown(1), text);
    }

    void nothing_is_loaded() {
        std::unique_ptr<ProseDocument> document(
            prose("![a](file:///etc/hostname) ![b](https://example.org/b.png)"));
        document->setTextWidth(400);
        QVERIFY(document->resource(QTextDocument::ImageResource, QUrl("file:///etc/hostname"))
                    .isNull());
        for (QTextBlock block = document->begin(); block.isValid(); block = block.next()) {
            for (auto it = block.begin(); !it.atEnd(); ++it) {
                QVERIFY(!it.fragment().charFormat().isImageFormat());
            }
        }
    }

    void headings_are_larger() {
        std::unique_ptr<ProseDocument> heading(prose("## a")), text(prose("a"));
        QVERIFY(heading->size().height() > text->size().height());
    }

    // The view must not depend on how the text came.
    void streamed_looks_like_given() {
        for (const QString& text : {samples::codeAnswer(), samples::listAnswer()}) {
            View streamed, given;
            given.answer(text);
            streamed.model.addUser("question");
            streamed.model.beginAnswer();
            for (qsizetype i = 0; i < text.size(); i += 13) {
                streamed.model.appendToAnswer(text.mid(i, 13));
            }
            streamed.model.finishAnswer({});
            QCOMPARE(streamed.shown(1), given.shown(1));
            QTRY_VERIFY(streamed.view.layoutOf(1).isMeasured() &&
                        given.view.layoutOf(1).isMeasured());
            QCOMPARE(streamed.view.layoutOf(1).height(), given.view.layoutOf(1).height());
            QCOMPARE(streamed.bar()->maximum(), given.bar()->maximum());
        }
    }

    void stays_at_the_end_while_there() {
        View v;
        v.stream(samples::codeAnswer());
        QVERIFY(v.bar()->maximum() > 0);
        QCOMPARE(v.bar()->value(), v.bar()->maximum());
        v.model.appendToAnswer(samples::codeAnswer());
        QCOMPARE(v.bar()->value(), v.bar()->maximum());
        QVERIFY(v.view.isAtEnd());
    }

    void stays_where_the_user_went() {
        View v;
        v.stream(samples::longAnswer(8000));
        QTRY_VERIFY(v.view.layoutOf(1).isMeasured());
        v.bar()->setValue(v.bar()->maximum() - 900);
        QVERIFY(!v.view.isAtEnd());
        const TextSpot before = v.view.spotAt({300, 20});
        auto* jump = v.view.findChild<QAbstractButton*>("jumpToLatest");
        QVERIFY(jump->isVisible());
        v.model.appendToAnswer(samples::longAnswer(4000));
        QCOMPARE(v.view.spotAt({300, 20}), before);
        jump->click();
        QVERIFY(v.view.isAtEnd());
        QVERIFY(!jump->isVisible());
        QCOMPARE(v.bar()->value(), v.bar()->maximum());
    }

    void scrolling_back_to_the_end_sticks_again() {
        View v;
        v.stream(samples::longAnswer(8000));
        v.bar()->setValue(0);
        QVERIFY(!v.view.isAtEnd());
        v.bar()->setValue(v.bar()->maximum());
        v.bar()->setValue(v.bar()->maximum());
        QVERIFY(v.view.isAtEnd());
        v.model.appendToAnswer("more\n\nand more");
        QCOMPARE(v.bar()->value(), v.bar()->maximum());
    }

    // Heights above are estimates at first; what is read must not move when they are corrected.
    void idle_corrections_do_not_move_what_is_read() {
        View v;
        v.model.setTurns(samples::longChat(60));
        v.bar()->setValue(v.bar()->maximum() / 2);
        const TextSpot before = v.view.spotAt({300, 200});
        const int y = v.view.caretRect(before).top();
        const int row = v.view.rowAt(200);
        const auto measured = [&] {
            for (int i = 0; i < v.model.turns(); ++i) {
                if (!v.view.layoutOf(i).isMeasured()) return false;
            }
            return true;
        };
        QVERIFY(!measured());
        QTRY_VERIFY_WITH_TIMEOUT(measured(), 20'000);
        QCOMPARE(v.view.rowAt(200), row);
        QVERIFY(qAbs(v.view.caretRect(before).top() - y) <= 1);
    }

    void a_resize_keeps_the_place() {
        View v;
        v.model.setTurns(samples::longChat(20));
        v.bar()->setValue(v.bar()->maximum() / 2);
        const int row = v.view.rowAt(0);
        v.view.resize(480, 600);
        QVERIFY(qAbs(v.view.rowAt(0) - row) <= 1);
        v.view.scrollToEnd();
        v.view.resize(900, 500);
        QCOMPARE(v.bar()->value(), v.bar()->maximum());
    }

    void only_web_links_open_and_only_on_a_click_data() {
        QTest::addColumn<QString>("url");
        QTest::addColumn<bool>("opens");
        QTest::newRow("https") << "https://example.org/a?b=c" << true;
        QTest::newRow("http") << "http://example.org" << true;
        QTest::newRow("file") << "file:///etc/passwd" << false;
        QTest::newRow("javascript") << "javascript:alert(1)" << false;
        QTest::newRow("relative") << "readme.txt" << false;
        QTest::newRow("mail") << "mailto:a@example.org" << false;
    }
    void only_web_links_open_and_only_on_a_click() {
        QFETCH(QString, url);
        QFETCH(bool, opens);
        View v;
        v.answer("[a link](" + url + ")");
        QSignalSpy activated(&v.view, &TranscriptView::linkActivated);
        const QRect caret = v.view.caretRect({1, {0, 2}});
        const QPoint point(caret.left() + 1, caret.center().y());
        QTest::mouseMove(v.view.viewport(), point);
        QCOMPARE(activated.size(), 0);
        QTest::mouseClick(v.view.viewport(), Qt::LeftButton, {}, point);
        QCOMPARE(activated.size(), opens ? 1 : 0);
        if (opens) QCOMPARE(activated[0][0].toUrl().toString(), url);
    }

    void long_text_is_laid_out_in_pieces_data() {
        QTest::addColumn<QString>("text");
        QTest::newRow("line") << QString(100'000, QLatin1Char('x'));
        QTest::newRow("code line") << "```\n" + QString(100'000, QLatin1Char('x'));
        QTest::newRow("words") << QStringLiteral("word ").repeated(20'000);
        QTest::newRow("deep list") << QStringLiteral("- ").repeated(300) + "a";
        QTest::newRow("deep quote") << QStringLiteral("> ").repeated(300) + "a";
        QTest::newRow("nul") << QString(5000, QChar(0));
    }
    void long_text_is_laid_out_in_pieces() {
        QFETCH(QString, text);
        View v;
        v.stream(text);
        QElapsedTimer timer;
        timer.start();
        for (int i = 0; i < 20; ++i) {
            v.model.appendToAnswer("y");
            v.view.grab();
        }
        QVERIFY2(timer.elapsed() / 20 < 100, qPrintable(QString::number(timer.elapsed() / 20)));
    }

    void right_to_left_stands_right() {
        View v;
        v.answer(samples::rightToLeft());
        const QRectF column(v.view.rowRect(1));
        QVERIFY(v.view.caretRect({1, {0, 0}}).left() > column.center().x());
    }

    void a_new_theme_is_worn_at_once() {
        View v;
        v.answer("text `code`");
        theme_->setChoice(ThemeChoice::dark);
        QTRY_COMPARE(v.view.textStyle().palette.color(QPalette::Base),
                     darkPalette().color(QPalette::Base));
        const QImage dark = v.view.grab().toImage();
        theme_->setChoice(ThemeChoice::light);
        QTRY_VERIFY(v.view.grab().toImage() != dark);
    }

    void a_screen_reader_is_told_each_message() {
        View v;
        v.answer("**bold** text");
        v.model.addUser("again");
        v.model.beginAnswer();
        v.model.failAnswer("no memory");
        QAccessibleInterface* list = QAccessible::queryAccessibleInterface(&v.view);
        QVERIFY(list);
        QCOMPARE(list->role(), QAccessible::List);
        QVERIFY(list->childCount() >= 4);
        QCOMPARE(list->child(0)->text(QAccessible::Name), "You: question");
        QCOMPARE(list->child(1)->text(QAccessible::Name), "Answer: bold text");
        QVERIFY(list->child(3)->text(QAccessible::Name).contains("no memory"));
        QCOMPARE(list->child(1)->role(), QAccessible::ListItem);
        QCOMPARE(list->indexOfChild(list->child(2)), 2);
        QVERIFY(!list->child(0)->rect().isEmpty());
        QVERIFY(QTest::qWaitForWindowActive(&v.view));
        v.view.setFocus();
        v.view.setCurrentRow(2);
        QVERIFY(list->child(2)->state().focused);
        QAccessibleInterface* last = list->child(3);
        v.model.truncate(2);
        QVERIFY(!last->isValid());
        QVERIFY(last->text(QAccessible::Name).isEmpty());
    }

    // However long the chat is, an answer that is asked for again costs its own row.
    void asking_again_touches_the_last_row_alone() {
        View v;
        v.model.setTurns(samples::longChat(40));
        const auto measured = [&] {
            for (int row = 0; row < v.model.turns(); ++row)
                if (!v.view.layoutOf(row).isMeasured()) return false;
            return true;
        };
        QTRY_VERIFY(measured());
        std::vector<MessageLayout*> before;
        for (int row = 0; row < 39; ++row) before.push_back(&v.view.layoutOf(row));
        v.model.truncate(39);
        v.model.beginAnswer();
        v.model.appendToAnswer("x");
        v.model.finishAnswer({});
        for (int row = 0; row < 39; ++row) {
            QCOMPARE(&v.view.layoutOf(row), before[size_t(row)]);
            QVERIFY(v.view.layoutOf(row).isMeasured());
        }
    }

    void rows_come_and_go() {
        View v;
        v.model.setTurns(samples::longChat(30));
        v.model.truncate(11);
        v.model.beginAnswer();
        v.model.appendToAnswer("x");
        v.model.setTurns({});
        QCOMPARE(v.bar()->maximum(), 0);
        v.view.grab();
        v.view.selectAll();
        QTest::keyClick(&v.view, Qt::Key_Down);
        v.answer("again");
        QCOMPARE(v.shown(1), "again");
    }
};

QTEST_MAIN(TestTranscript)
#include "tst_transcript.moc"
