// SPDX-License-Identifier: GPL-3.0-or-later
// A code block: a strip with the language's name, then the code, wrapped. Lines are laid out when
// they are painted, so that a long block costs what is seen of it; one that still grows keeps its
// lines.
#pragma once

#include <QTextLayout>
#include <vector>

#include "ui/chat/code_highlighter.h"
#include "ui/chat/render_block.h"

namespace lockstep {

class CodeBlock : public RenderBlock {
  public:
    CodeBlock(const MarkdownBlock& source, const TextStyle& style);

    bool update(const MarkdownBlock& source) override;
    void setWidth(qreal width) override;
    qreal height() const override;
    qreal idealWidth() const override { return width_; }
    void paint(QPainter& painter, const PaintRequest& request) override;
    int length() const override { return static_cast<int>(code_.size()); }
    QString text(int from, int to) const override { return code_.mid(from, to - from); }
    int offsetAt(QPointF point) const override;
    QRectF caretRect(int offset) const override;

    // Of the strip above the code, where the copy button goes.
    static qreal headerHeight(const TextStyle& style);
    static QString languageLabel(const QString& language);

  private:
    // A line of the code, or a piece of one that is too long to be laid out at once.
    struct Line {
        int start = 0;
        int length = 0;
        int first_row = 0;
        int rows = 1;
        mutable std::unique_ptr<QTextLayout> layout = {};
    };

    void addLines(int from);
    void countRows(size_t from_line);
    bool fitsOneRow(const Line& line) const;
    QTextLayout& layoutOf(const Line& line) const;
    QVector<QTextLayout::FormatRange> formatsOf(const Line& line) const;
    qreal hangingIndent(const Line& line) const;
    void takeHighlights();
    qreal padding() const;
    qreal rowHeight() const;
    qreal innerWidth() const;
    QPointF originOf(const Line& line) const;
    const Line& lineAtRow(int row) const;
    const Line& lineAtOffset(int offset) const;

    const TextStyle& style_;
    QString code_;
    QString language_;
    bool closed_;
    qreal width_ = 0;
    qreal column_width_;
    std::vector<Line> lines_;
    CodeHighlighter::Spans spans_;
};

}  // namespace lockstep
