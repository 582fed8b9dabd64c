// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts markdown that still arrives into blocks that can be laid out one by one: what is closed
// never changes again, so that a long answer costs only its open tail. Block structure is read here
// (CommonMark's, with the looser indents that models write); what is inside a paragraph, heading,
// table or quote stays markdown. Pure text, no widgets.
#pragma once

#include <QString>
#include <QVector>

namespace lockstep {

enum class BlockKind {
    prose,  // a paragraph, heading or table in markdown
    quote,  // the same, set off; the '>' are gone
    plain,  // text as it was typed
    code,   // a fenced or indented block
    rule    // a thematic break
};

struct MarkdownBlock {
    BlockKind kind = BlockKind::prose;
    int depth = 0;          // of lists around it
    QString marker = {};    // "•", "3.", "☐": of the item that it begins
    QString text = {};      // markdown, or the code itself
    QString language = {};  // of code, as written
    bool blank_before = false;
    bool continued = false;  // goes on where the block before had become too long
    bool table = false;
    bool closed = false;  // nothing that follows changes it
    bool operator==(const MarkdownBlock&) const = default;
};

class MarkdownSplitter {
  public:
    enum class Syntax {
        markdown,
        fences_only  // what a user types: all is plain but ``` blocks
    };
    explicit MarkdownSplitter(Syntax syntax = Syntax::markdown) : syntax_(syntax) {}

    // O(piece + open block).
    void append(const QString& piece);
    void finish();  // no more will come: closes everything
    const QVector<MarkdownBlock>& blocks() const { return blocks_; }

  private:
    struct ListLevel {
        int marker_indent;
        int content_indent;
        bool ordered;
        bool operator==(const ListLevel&) const = default;
    };
    struct State {
        QVector<ListLevel> lists;
        QChar fence;  // of the open code block; null outside
        int fence_length = 0;
        int fence_indent = 0;
        bool indented_code = false;
        int fence_lines = 0;
        bool blank = false;   // the line before was blank
        int blank_lines = 0;  // pending, inside indented code
    };

    void takeLine(const QString& line);
    void takePlainLine(const QString& line);
    void leaveLists(int indent, bool item, int number);
    bool takeCodeLine(const QString& line, int indent);
    bool openFence(const QString& content, int indent);
    void takeListItem(const QString& content, int indent, int marker_width, const QString& marker);
    void takeContent(const QString& content, int indent, const QString& marker, bool can_continue);
    void takeText(const QString& content, const QString& marker, bool can_continue);
    bool takeTableDelimiter(const QString& content);
    void splitWhenLong();
    bool isUndecided() const;

    MarkdownBlock* open();
    MarkdownBlock& begin(BlockKind kind, const QString& text, const QString& marker = {});
    void close();

    Syntax syntax_;
    State state_;
    QVector<MarkdownBlock> blocks_;
    // The last line so far, and what to return to when more of it arrives.
    QString partial_;
    bool held_back_ = false;  // it is in no block yet
    State before_partial_;
    qsizetype blocks_before_partial_ = 0;
    MarkdownBlock last_before_partial_;
};

}  // namespace lockstep
