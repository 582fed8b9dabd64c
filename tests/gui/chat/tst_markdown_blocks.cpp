// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>

#include "tests/gui/chat/sample_chat.h"
#include "ui/chat/markdown_blocks.h"

using namespace lockstep;

namespace {

// One line a block: kind, depth if any, marker if any, language if any, text with ¶ for a newline.
QString describe(const MarkdownBlock& block) {
    static const char* const names[] = {"prose", "quote", "plain", "code", "rule"};
    QString line = QLatin1String(names[static_cast<int>(block.kind)]);
    if (block.table) line = QStringLiteral("table");
    if (block.depth > 0) line += QString::number(block.depth);
    if (!block.marker.isEmpty()) line += QLatin1Char(' ') + block.marker;
    if (!block.language.isEmpty()) line += QLatin1String(" (") + block.language + QLatin1Char(')');
    if (block.continued) line += QLatin1String(" ...");
    return line + QLatin1String(": ") + QString(block.text).replace(QLatin1Char('\n'), u"¶"_qs);
}

QStringList describe(const QVector<MarkdownBlock>& blocks) {
    QStringList lines;
    for (const MarkdownBlock& block : blocks) lines << describe(block);
    return lines;
}

using Syntax = MarkdownSplitter::Syntax;

QVector<MarkdownBlock> split(const QString& text, Syntax syntax = Syntax::markdown) {
    MarkdownSplitter splitter(syntax);
    splitter.append(text);
    splitter.finish();
    return splitter.blocks();
}

}  // namespace

class TestMarkdownBlocks : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void cuts_into_blocks_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QStringList>("blocks");
        const auto row = [](const char* name, const char* text, const QStringList& blocks) {
            QTest::newRow(name) << QString::fromUtf8(text) << blocks;
        };
        row("nothing", "", {});
        row("paragraphs", "one\ntwo\n\nthree", {"prose: one¶two", "prose: three"});
        row("heading", "# Title\ntext", {"prose: # Title", "prose: text"});
        row("no heading", "#hashtag", {"prose: #hashtag"});
        row("rule", "a\n\n---\n\nb", {"prose: a", "rule: ", "prose: b"});
        row("fence", "```cpp\nint x;\n\n  y;\n```\nafter",
            {"code (cpp): int x;¶¶  y;", "prose: after"});
        row("fence right after text", "text:\n```\nx\n```", {"prose: text:", "code: x"});
        row("empty fence", "```\n```", {"code: "});
        row("fence with leading blank line", "```\n\nx\n```", {"code: ¶x"});
        row("tildes", "~~~py\n```\n~~~", {"code (py): ```"});
        row("longer fence holds shorter ones", "````md\n```py\nx\n```\n````\nend",
            {"code (md): ```py¶x¶```", "prose: end"});
        row("unclosed fence", "```py\nx = 1\n", {"code (py): x = 1"});
        row("info string", "```python title=\"a b\"\nx\n```", {"code (python): x"});
        row("braces in info", "```{.rust}\nx\n```", {"code (rust): x"});
        row("inline backticks are no fence", "```x``` is inline", {"prose: ```x``` is inline"});
        row("bullets", "- a\n- b\n* c", {"prose1 •: a", "prose1 •: b", "prose1 •: c"});
        row("numbers keep their start", "3. a\n4. b", {"prose1 3.: a", "prose1 4.: b"});
        row("number in a paragraph", "It was\n1986. A great year",
            {"prose: It was¶1986. A great year"});
        row("list after text", "Steps:\n1. a\n2. b",
            {"prose: Steps:", "prose1 1.: a", "prose1 2.: b"});
        row("nested", "1. a\n   - b\n     - c\n2. d",
            {"prose1 1.: a", "prose2 •: b", "prose3 •: c", "prose1 2.: d"});
        row("nested by two", "1. a\n  - b", {"prose1 1.: a", "prose2 •: b"});
        row("numbers go on, indented by two", "1. a\n  2. b\n  3. c\n4. d",
            {"prose1 1.: a", "prose1 2.: b", "prose1 3.: c", "prose1 4.: d"});
        row("numbers nested by two", "1. a\n  1. b\n  2. c\n     1. d\n2. e",
            {"prose1 1.: a", "prose2 1.: b", "prose2 2.: c", "prose3 1.: d", "prose1 2.: e"});
        row("numbers go on after bullets", "1. a\n  - b\n  2. c",
            {"prose1 1.: a", "prose2 •: b", "prose1 2.: c"});
        row("numbers within bullets", "- a\n  2. b\n  3. c",
            {"prose1 •: a", "prose2 2.: b", "prose2 3.: c"});
        row("item of two paragraphs", "- a\n\n  b\n\nc", {"prose1 •: a", "prose1: b", "prose: c"});
        row("lazy line", "- a\nb", {"prose1 •: a¶b"});
        row("code in an item", "1. a\n\n   ```sh\n   ls\n     -l\n   ```\n2. b",
            {"prose1 1.: a", "code1 (sh): ls¶  -l", "prose1 2.: b"});
        row("code in an item, badly indented", "1. a\n   ```sh\nls\n   ```\n2. b",
            {"prose1 1.: a", "code1 (sh): ls", "prose1 2.: b"});
        row("tasks", "- [ ] a\n- [x] b", {"prose1 ☐: a", "prose1 ☑: b"});
        row("two markers", "- - a", {"prose1 •: ", "prose2 •: a"});
        row("emphasis is no list", "*a* b", {"prose: *a* b"});
        row("minus is no list", "-1 degrees", {"prose: -1 degrees"});
        row("quote", "> a\n> b\n\nc", {"quote: a¶b", "prose: c"});
        row("table", "| a | b |\n|---|---|\n| 1 | 2 |\n\nx",
            {"table: | a | b |¶|---|---|¶| 1 | 2 |", "prose: x"});
        row("table right under text", "see:\n| a | b |\n|---|---|",
            {"prose: see:", "table: | a | b |¶|---|---|"});
        row("indented code", "a\n\n    x\n\n    y\nb", {"prose: a", "code: x¶¶y", "prose: b"});
        row("link definition is shown", "[1]: https://example.org",
            {"prose: \\[1]: https://example.org"});
        row("html stays text", "<script>alert(1)</script>\n\n<b>x</b>",
            {"prose: <script>alert(1)</script>", "prose: <b>x</b>"});
        row("crlf", "a\r\n\r\n```\r\nx\r\n```\r\n", {"prose: a", "code: x"});
        row("tab indent", "- a\n\t- b", {"prose1 •: a", "prose2 •: b"});
    }
    void cuts_into_blocks() {
        QFETCH(QString, text);
        QFETCH(QStringList, blocks);
        QCOMPARE(describe(split(text)), blocks);
    }

    void typed_text_is_plain_but_for_fences() {
        const QString text = QStringLiteral("# no heading\n\n* no list\n```py\nx\n```\nend");
        QCOMPARE(describe(split(text, Syntax::fences_only)),
                 QStringList({"plain: # no heading¶¶* no list", "code (py): x", "plain: end"}));
    }

    // However the text arrives, the end is the same.
    void pieces_give_the_same_blocks_data() {
        QTest::addColumn<QString>("text");
        QTest::newRow("code") << samples::codeAnswer();
        QTest::newRow("lists") << samples::listAnswer();
        QTest::newRow("right to left") << samples::rightToLeft();
        QTest::newRow("fences") << QStringLiteral("````\n```\n``\n`\n````\n~~~\n~~~\n```");
        QTest::newRow("markers") << QStringLiteral("-\n- \n--\n---\n1\n1.\n1. a\n#\n# b\n|\n|-|\n");
        QTest::newRow("long line") << QString(9000, QLatin1Char('x')) + u" y. "_qs.repeated(2000);
    }
    void pieces_give_the_same_blocks() {
        QFETCH(QString, text);
        const QVector<MarkdownBlock> whole = split(text);
        for (const int size : {1, 2, 3, 7, 64}) {
            MarkdownSplitter splitter;
            for (qsizetype i = 0; i < text.size(); i += size) splitter.append(text.mid(i, size));
            splitter.finish();
            QCOMPARE(describe(splitter.blocks()), describe(whole));
            QVERIFY(splitter.blocks() == whole);
        }
    }

    void closed_blocks_never_change() {
        const QString text = samples::codeAnswer() + samples::listAnswer();
        MarkdownSplitter splitter;
        QVector<MarkdownBlock> closed;
        for (const QChar c : text) {
            splitter.append(QString(c));
            const auto& blocks = splitter.blocks();
            // The last closed block may be given back to its paragraph by the line that follows.
            for (qsizetype i = 0; i + 1 < closed.size(); ++i) QCOMPARE(blocks[i], closed[i]);
            closed.clear();
            for (const MarkdownBlock& block : blocks) {
                if (!block.closed) break;
                closed.append(block);
            }
        }
        QVERIFY(closed.size() > 20);
    }

    void a_block_that_becomes_code_is_not_shown_before() {
        MarkdownSplitter splitter;
        splitter.append(QStringLiteral("text\n\n``"));
        QCOMPARE(splitter.blocks().size(), 1);
        splitter.append(QStringLiteral("`py\nx\n``"));
        QCOMPARE(describe(splitter.blocks()), QStringList({"prose: text", "code (py): x"}));
    }

    // A block's layout is redone for each piece that arrives, so that none may become long.
    void open_text_stays_short() {
        for (const QString& text :
             {QString(100'000, QLatin1Char('x')), u"word "_qs.repeated(20'000),
              u"One sentence. "_qs.repeated(8'000)}) {
            const QVector<MarkdownBlock> blocks = split(text);
            QString joined;
            for (const MarkdownBlock& block : blocks) {
                QVERIFY2(block.text.size() <= 2400, qPrintable(QString::number(block.text.size())));
                joined += block.text;
            }
            QCOMPARE(joined, text.trimmed());
        }
    }

    void a_cut_spares_surrogate_pairs() {
        for (int shift = 0; shift < 2; ++shift) {
            const QString text = QString(shift, QLatin1Char('x')) + u"😀"_qs.repeated(3000);
            for (const MarkdownBlock& block : split(text)) {
                QVERIFY(!block.text.front().isLowSurrogate());
                QVERIFY(!block.text.back().isHighSurrogate());
            }
        }
    }

    void a_megabyte_takes_linear_time() {
        QElapsedTimer timer;
        timer.start();
        const QString line(1'000'000, QLatin1Char('-'));
        split(line);
        split(QStringLiteral("- ").repeated(20'000));
        split(QStringLiteral("> ").repeated(20'000));
        split(QStringLiteral("|").repeated(500'000) + u"\n|-|"_qs);
        split(QStringLiteral("a\n").repeated(300'000));
        QVERIFY2(timer.elapsed() < 8000, qPrintable(QString::number(timer.elapsed())));
    }
};

QTEST_APPLESS_MAIN(TestMarkdownBlocks)
#include "tst_markdown_blocks.moc"
