// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/markdown_blocks.h"

#include <QRegularExpression>

namespace lockstep {
namespace {

// A block's layout is redone for each piece that arrives: it must stay small.
constexpr qsizetype longest_open_text = 2400;
constexpr qsizetype shortest_cut = 1600;

int indentOf(const QString& line) {
    int indent = 0;
    for (const QChar c : line) {
        if (c == QLatin1Char(' ')) {
            ++indent;
        } else if (c == QLatin1Char('\t')) {
            indent += 4 - indent % 4;
        } else {
            break;
        }
    }
    return indent;
}

QString withoutIndent(const QString& line, int columns) {
    int column = 0;
    qsizetype i = 0;
    while (i < line.size() && column < columns) {
        if (line[i] == QLatin1Char(' ')) {
            ++column;
        } else if (line[i] == QLatin1Char('\t')) {
            column += 4 - column % 4;
        } else {
            break;
        }
        ++i;
    }
    return line.mid(i);
}

bool isRule(const QString& content) {
    static const QRegularExpression pattern(
        QStringLiteral(R"(^(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$)"));
    return pattern.match(content).hasMatch();
}

bool isHeading(const QString& content) {
    static const QRegularExpression pattern(QStringLiteral(R"(^#{1,6}(?:[ \t]|$))"));
    return pattern.match(content).hasMatch();
}

struct ListMarker {
    int width = 0;  // of the marker and one space; 0: none
    int number = 0;
    QString shown;
};

ListMarker listMarker(const QString& content) {
    static const QRegularExpression pattern(
        QStringLiteral(R"(^([-*+]|(\d{1,9})[.)])(?:([ \t]{1,4})(?:\[([ xX])\][ \t])?|$))"));
    const auto match = pattern.match(content);
    if (!match.hasMatch()) return {};
    ListMarker marker{static_cast<int>(match.capturedLength()), 0, QStringLiteral("•")};
    if (match.capturedLength(2) > 0) {
        marker.number = match.captured(2).toInt();
        marker.shown = match.captured(1);
    }
    if (match.capturedLength(4) > 0) {
        const bool done = match.captured(4) != QLatin1String(" ");
        marker.shown = done ? QStringLiteral("☑") : QStringLiteral("☐");
    }
    return marker;
}

// The line under a table's head.
bool isTableDelimiter(const QString& content) {
    static const QRegularExpression pattern(
        QStringLiteral(R"(^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$)"));
    return content.contains(QLatin1Char('|')) && pattern.match(content).hasMatch();
}

}  // namespace

void MarkdownSplitter::append(const QString& piece) {
    if (piece.isEmpty()) return;
    if (!partial_.isEmpty()) {  // take the line back that was shown unfinished
        blocks_.resize(blocks_before_partial_);
        if (!blocks_.isEmpty()) blocks_.last() = last_before_partial_;
        state_ = before_partial_;
    }
    QString text = partial_ + piece;
    qsizetype begin_of_line = 0;
    for (;;) {
        const qsizetype end = text.indexOf(QLatin1Char('\n'), begin_of_line);
        if (end < 0) break;
        QString line = text.mid(begin_of_line, end - begin_of_line);
        if (line.endsWith(QLatin1Char('\r'))) line.chop(1);
        takeLine(line);
        begin_of_line = end + 1;
    }
    partial_ = text.mid(begin_of_line);
    if (partial_.isEmpty()) return;
    before_partial_ = state_;
    blocks_before_partial_ = blocks_.size();
    last_before_partial_ = blocks_.isEmpty() ? MarkdownBlock{} : blocks_.last();
    held_back_ = isUndecided();
    if (!held_back_) takeLine(partial_);
}

void MarkdownSplitter::finish() {
    if (held_back_ && !partial_.isEmpty()) takeLine(partial_);
    held_back_ = false;
    partial_.clear();
    close();
    state_ = {};
}

// Could the last line still become another kind of block than it looks? Then it is not shown yet.
bool MarkdownSplitter::isUndecided() const {
    const QString content = partial_.trimmed();
    if (!state_.fence.isNull()) {
        return content.size() < state_.fence_length && !content.isEmpty() &&
               content.count(state_.fence) == content.size();
    }
    if (syntax_ == Syntax::fences_only) return false;
    static const QRegularExpression pattern(
        QStringLiteral(R"(^(?:[-*+_]{1,2}|#{1,6}|`{1,2}|~{1,2}|\d{1,3}[.)]?|\|)$)"));
    return pattern.match(content).hasMatch();
}

MarkdownBlock* MarkdownSplitter::open() {
    return blocks_.isEmpty() || blocks_.last().closed ? nullptr : &blocks_.last();
}

MarkdownBlock& MarkdownSplitter::begin(BlockKind kind, const QString& text, const QString& marker) {
    close();
    MarkdownBlock block;
    block.kind = kind;
    block.depth = static_cast<int>(state_.lists.size());
    block.marker = marker;
    block.text = text;
    block.blank_before = state_.blank;
    blocks_.append(block);
    state_.blank = false;
    return blocks_.last();
}

void MarkdownSplitter::close() {
    if (!blocks_.isEmpty()) blocks_.last().closed = true;
    state_.fence = QChar();
    state_.indented_code = false;
}

void MarkdownSplitter::takeLine(const QString& line) {
    const int indent = indentOf(line);
    if (takeCodeLine(line, indent)) return;
    if (syntax_ == Syntax::fences_only) {
        takePlainLine(line);
        return;
    }
    const QString content = line.trimmed();
    if (content.isEmpty()) {
        if (open()) close();
        state_.blank = true;
        return;
    }
    const bool can_continue = open() && !state_.blank;
    const ListMarker marker = isRule(content) ? ListMarker{} : listMarker(content);
    const bool item = marker.width > 0;
    const QVector<ListLevel> lists_before = state_.lists;
    leaveLists(indent, item, marker.number);
    // A paragraph goes on through lines that are indented less, as long as nothing else begins.
    if (can_continue && !item && !isRule(content) && !isHeading(content) &&
        !content.startsWith(QLatin1String("```")) && !content.startsWith(QLatin1String("~~~"))) {
        state_.lists = lists_before;
    }
    takeContent(content, indent, {}, can_continue);
}

// Ends the lists that a line of this indent is not within. Models indent by two what belongs to
// "1. ", three wide; but a number that goes on counting there is the next item, not a list in it.
void MarkdownSplitter::leaveLists(int indent, bool item, int number) {
    while (!state_.lists.isEmpty()) {
        const ListLevel level = state_.lists.last();
        const int loosely = level.marker_indent + 2;
        int needed = qMin(level.content_indent, loosely);
        if (item) needed = number > 1 ? level.content_indent : loosely;
        if (indent >= needed) return;
        state_.lists.removeLast();
        const bool next_of_level = indent >= level.marker_indent && (number <= 1 || level.ordered);
        if (next_of_level) return;
    }
}

// What a user typed is one block from fence to fence, blank lines and all.
void MarkdownSplitter::takePlainLine(const QString& line) {
    if (openFence(line.trimmed(), indentOf(line))) return;
    MarkdownBlock* block = open();
    if (block && block->kind == BlockKind::plain) {
        if (block->text.size() + line.size() < longest_open_text) {
            block->text += QLatin1Char('\n') + line;
            return;
        }
        begin(BlockKind::plain, line).continued = true;
    } else if (!line.trimmed().isEmpty() || blocks_.isEmpty()) {  // not between code and text
        begin(BlockKind::plain, line);
    }
    splitWhenLong();
}

// True if the line belonged to an open code block.
bool MarkdownSplitter::takeCodeLine(const QString& line, int indent) {
    MarkdownBlock* block = open();
    if (!block || block->kind != BlockKind::code) return false;
    if (state_.indented_code) {
        if (line.trimmed().isEmpty()) {
            ++state_.blank_lines;
            return true;
        }
        if (indent < 4) {
            close();
            state_.blank = state_.blank_lines > 0;
            return false;
        }
        block->text += QString(state_.blank_lines + 1, QLatin1Char('\n')) + withoutIndent(line, 4);
        state_.blank_lines = 0;
        return true;
    }
    const QString content = line.trimmed();
    if (content.size() >= state_.fence_length && content.count(state_.fence) == content.size()) {
        close();
        return true;
    }
    if (state_.fence_lines++ > 0) block->text += QLatin1Char('\n');
    block->text += withoutIndent(line, state_.fence_indent);
    return true;
}

bool MarkdownSplitter::openFence(const QString& content, int indent) {
    static const QRegularExpression pattern(QStringLiteral(R"(^(`{3,}(?=[^`]*$)|~{3,})\s*(.*)$)"));
    const auto match = pattern.match(content);
    if (!match.hasMatch()) return false;
    QString language = match.captured(2).section(QRegularExpression(QStringLiteral(R"([\s{},:])")),
                                                 0, 0, QString::SectionSkipEmpty);
    if (language.startsWith(QLatin1Char('.'))) language.remove(0, 1);
    begin(BlockKind::code, {}).language = language;
    state_.fence = content[0];
    state_.fence_length = static_cast<int>(match.capturedLength(1));
    state_.fence_indent = indent;
    state_.fence_lines = 0;
    return true;
}

void MarkdownSplitter::takeContent(const QString& content, int indent, const QString& marker,
                                   bool can_continue) {
    if (openFence(content, indent)) {
        blocks_.last().marker = marker;
        return;
    }
    // "text" over "---" is a heading in CommonMark; models mean a rule, and so do we.
    if (isRule(content)) {
        begin(BlockKind::rule, {}, marker);
        close();
        return;
    }
    const ListMarker item = listMarker(content);
    const MarkdownBlock* block = open();
    const bool interrupts = !can_continue || !state_.lists.isEmpty() || item.number <= 1 ||
                            (block && !block->marker.isEmpty());
    if (item.width > 0 && interrupts) {
        // "- - a" opens two levels: the outer marker has nothing of its own then.
        if (!marker.isEmpty()) begin(BlockKind::prose, {}, marker);
        takeListItem(content, indent, item.width, item.shown);
        return;
    }
    if (isHeading(content)) {
        begin(BlockKind::prose, content, marker);
        close();
        return;
    }
    if (content.startsWith(QLatin1Char('>'))) {
        QString inner = content.mid(1);
        if (inner.startsWith(QLatin1Char(' '))) inner.remove(0, 1);
        MarkdownBlock* quote = open();
        if (quote && quote->kind == BlockKind::quote && !state_.blank) {
            quote->text += QLatin1Char('\n') + inner;
        } else {
            begin(BlockKind::quote, inner, marker);
        }
        return;
    }
    const int base = state_.lists.isEmpty() ? 0 : state_.lists.last().content_indent;
    if (indent - base >= 4 && state_.lists.isEmpty() && !can_continue && marker.isEmpty()) {
        begin(BlockKind::code, QString(indent - base - 4, QLatin1Char(' ')) + content);
        state_.indented_code = true;
        state_.blank_lines = 0;
        return;
    }
    if (takeTableDelimiter(content)) return;
    takeText(content, marker, can_continue);
}

void MarkdownSplitter::takeListItem(const QString& content, int indent, int marker_width,
                                    const QString& marker) {
    close();
    const bool blank = state_.blank;
    const bool task = marker == QStringLiteral("☐") || marker == QStringLiteral("☑");
    const int content_indent = indent + qMax(2, task ? 2 : marker_width);
    state_.lists.append({indent, content_indent, content[0].isDigit()});
    const QString rest = content.mid(marker_width).trimmed();
    if (rest.isEmpty()) {
        begin(BlockKind::prose, {}, marker);
    } else {
        takeContent(rest, content_indent, marker, false);
    }
    if (!blocks_.isEmpty()) blocks_.last().blank_before = blank;
}

bool MarkdownSplitter::takeTableDelimiter(const QString& content) {
    MarkdownBlock* block = open();
    if (!block || block->kind != BlockKind::prose || block->table || !isTableDelimiter(content)) {
        return false;
    }
    const qsizetype last_line = block->text.lastIndexOf(QLatin1Char('\n')) + 1;
    const QString head = block->text.mid(last_line);
    if (!head.contains(QLatin1Char('|'))) return false;
    if (last_line > 0) {  // a paragraph directly above the table's head
        block->text.truncate(last_line - 1);
        begin(BlockKind::prose, head);
    }
    blocks_.last().text += QLatin1Char('\n') + content;
    blocks_.last().table = true;
    return true;
}

void MarkdownSplitter::takeText(const QString& content, const QString& marker, bool can_continue) {
    // A link definition would vanish, as what uses it may be another block: show it as it is.
    static const QRegularExpression definition(QStringLiteral(R"(^\[[^\]]+\]:)"));
    const QString text =
        definition.match(content).hasMatch() ? QLatin1Char('\\') + content : content;
    MarkdownBlock* block = open();
    const bool goes_on = block && can_continue && marker.isEmpty() &&
                         (block->kind == BlockKind::prose || block->kind == BlockKind::quote);
    if (goes_on) {
        if (!block->text.isEmpty()) block->text += QLatin1Char('\n');
        block->text += text;
    } else {
        begin(BlockKind::prose, text, marker);
    }
    splitWhenLong();
}

void MarkdownSplitter::splitWhenLong() {
    if (blocks_.last().text.size() <= longest_open_text || blocks_.last().table) return;
    const QString text = blocks_.last().text;
    const BlockKind kind = blocks_.last().kind;
    if (kind == BlockKind::code || kind == BlockKind::rule) return;
    qsizetype from = 0;
    while (text.size() - from > longest_open_text) {
        const QStringView piece = QStringView(text).mid(from, longest_open_text);
        qsizetype cut = piece.lastIndexOf(QLatin1String(". ")) + 2;
        if (cut < shortest_cut) cut = piece.lastIndexOf(QLatin1Char(' ')) + 1;
        if (cut < shortest_cut) cut = longest_open_text;
        if (text[from + cut].isLowSurrogate()) --cut;
        if (from == 0) {
            blocks_.last().text = text.left(cut);
        } else {
            begin(kind, text.mid(from, cut)).continued = true;
        }
        from += cut;
    }
    begin(kind, text.mid(from)).continued = true;
}

}  // namespace lockstep
