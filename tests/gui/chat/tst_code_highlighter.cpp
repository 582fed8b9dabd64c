// SPDX-License-Identifier: GPL-3.0-or-later
#include <QSignalSpy>
#include <QTest>
#include <thread>

#include "ui/chat/code_highlighter.h"
#include "ui/theme/colors.h"

using namespace lockstep;

namespace {

// The token that covers `word`, or -1.
int tokenOf(const QVector<CodeSpan>& spans, const QString& code, const QString& word) {
    const auto at = code.indexOf(word);
    for (const CodeSpan& span : spans) {
        if (span.start <= at && at + word.size() <= span.start + span.length) {
            return static_cast<int>(span.token);
        }
    }
    return -1;
}

const QString cpp = QStringLiteral(
    "#include <vector>\n// a comment\nint main() {\n    return f(\"text\", 42);  /* open\n"
    "still open */ }\n");

}  // namespace

class TestCodeHighlighter : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void finds_what_is_what_data() {
        QTest::addColumn<QString>("language");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("word");
        QTest::addColumn<int>("token");
        const auto row = [](const char* name, const QString& language, const QString& code,
                            const char* word, CodeToken token) {
            QTest::newRow(name) << language << code << QString::fromUtf8(word)
                                << static_cast<int>(token);
        };
        row("keyword", "cpp", cpp, "return", CodeToken::keyword);
        row("type", "cpp", cpp, "int", CodeToken::type);
        row("comment", "cpp", cpp, "a comment", CodeToken::comment);
        row("string", "cpp", cpp, "text", CodeToken::string);
        row("number", "cpp", cpp, "42", CodeToken::number);
        row("preprocessor", "cpp", cpp, "#include", CodeToken::preprocessor);
        row("state over lines", "cpp", cpp, "still open", CodeToken::comment);
        row("alias", "C++", cpp, "return", CodeToken::keyword);
        row("cuda", "cuda", cpp, "return", CodeToken::keyword);
        row("python", "python", "def f():\n    return 1", "def", CodeToken::keyword);
        row("rust", "rust", "fn main() {}", "fn", CodeToken::keyword);
        row("shell", "bash", "echo \"x y\"", "x y", CodeToken::string);
        row("after other scripts", "python", u"x = 'äöü 😀'  # done"_qs, "done", CodeToken::comment);
    }
    void finds_what_is_what() {
        QFETCH(QString, language);
        QFETCH(QString, code);
        QFETCH(QString, word);
        QFETCH(int, token);
        QCOMPARE(tokenOf(highlightCode(code, language), code, word), token);
    }

    void spans_are_in_order_and_inside() {
        int end = 0;
        for (const CodeSpan& span : highlightCode(cpp, "cpp")) {
            QVERIFY(span.start >= end);
            QVERIFY(span.length > 0);
            end = span.start + span.length;
        }
        QVERIFY(end > 0);
        QVERIFY(end <= cpp.size());
    }

    void what_is_not_known_stays_plain_data() {
        QTest::addColumn<QString>("language");
        for (const char* language : {"", "klingon", "../../etc/passwd", "cpp.lang", "a b", "😀"}) {
            QTest::newRow(*language ? language : "none") << QString::fromUtf8(language);
        }
    }
    void what_is_not_known_stays_plain() {
        QFETCH(QString, language);
        QVERIFY(highlightCode(cpp, language).isEmpty());
    }

    void hard_input_comes_back_data() {
        QTest::addColumn<QString>("code");
        QTest::newRow("huge line") << QString(500'000, QLatin1Char('('));
        QTest::newRow("open string") << u"\"\\"_qs.repeated(400);
        QTest::newRow("nul") << QString(900, QChar(0));
        QTest::newRow("slashes") << u"/*"_qs.repeated(400);
        QTest::newRow("many lines") << u"x(\n"_qs.repeated(5'000);
    }
    void hard_input_comes_back() {
        QFETCH(QString, code);
        QElapsedTimer timer;
        timer.start();
        for (const char* language : {"cpp", "python", "js", "html", "latex", "perl"}) {
            highlightCode(code, QLatin1String(language));
        }
        QVERIFY(timer.elapsed() < 60'000);
    }

    void two_threads_may_ask() {
        QVector<CodeSpan> first, second;
        std::thread other([&] { first = highlightCode(cpp, "java"); });
        second = highlightCode(cpp, "cpp");
        other.join();
        QVERIFY(!first.isEmpty());
        QVERIFY(!second.isEmpty());
    }

    void the_answer_comes_later_and_is_kept() {
        CodeHighlighter highlighter;
        QSignalSpy ready(&highlighter, &CodeHighlighter::highlighted);
        QVERIFY(!highlighter.spans(cpp, "cpp"));
        QVERIFY(!highlighter.spans(cpp, "cpp"));  // asked once only
        QVERIFY(ready.wait());
        QCOMPARE(ready.size(), 1);
        const auto spans = highlighter.spans(cpp, "cpp");
        QVERIFY(spans);
        QCOMPARE(*spans, highlightCode(cpp, "cpp"));
    }

    void ends_while_it_works() {
        const QString code = u"int f(int x) { return x; }\n"_qs.repeated(5'000);
        QElapsedTimer timer;
        timer.start();
        {
            CodeHighlighter highlighter;
            for (int i = 0; i < 20; ++i) highlighter.spans(code + QString::number(i), "cpp");
        }
        QVERIFY2(timer.elapsed() < 3000, qPrintable(QString::number(timer.elapsed())));
    }

    void colours_can_be_read() {
        for (const QPalette& palette : {lightPalette(), darkPalette()}) {
            for (int token = 0; token < static_cast<int>(CodeToken::count); ++token) {
                const QColor color = codeTokenColor(static_cast<CodeToken>(token), palette);
                const double ratio = contrast(color, themeColors(palette).code);
                QVERIFY2(ratio >= 4.5, qPrintable(QStringLiteral("%1 %2").arg(token).arg(ratio)));
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestCodeHighlighter)
#include "tst_code_highlighter.moc"
