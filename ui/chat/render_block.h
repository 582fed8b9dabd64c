// SPDX-License-Identifier: GPL-3.0-or-later
// One block of a message, laid out at a width: what the transcript measures, paints and hits.
// Offsets are UTF-16 units into the block's shown text, 0 to length().
#pragma once

#include <QFont>
#include <QPainter>
#include <QPalette>
#include <QRectF>
#include <QString>
#include <QStringList>
#include <memory>

#include "ui/chat/markdown_blocks.h"

namespace lockstep {

class CodeHighlighter;

// What all blocks share; a change of it means making them anew.
class TextStyle {
  public:
    TextStyle(const QPalette& palette, const QFont& font, CodeHighlighter* highlighter);

    QPalette palette;
    QFont font;
    QFont code_font;
    CodeHighlighter* highlighter;

    qreal lineHeight() const { return line_height_; }      // of font
    qreal averageWidth() const { return average_width_; }  // of a character in font
    qreal codeRowHeight() const { return code_row_height_; }
    qreal codeColumnWidth() const { return code_column_width_; }

  private:
    qreal line_height_, average_width_, code_row_height_, code_column_width_;
};

struct PaintRequest {
    QRectF clip;             // in the block's coordinates
    int selection_from = 0;  // nothing selected where from >= to
    int selection_to = 0;
};

class RenderBlock {
  public:
    virtual ~RenderBlock() = default;

    // Takes the block's new source if this kind of block can grow into it; false: make another.
    virtual bool update(const MarkdownBlock& source) = 0;
    virtual void setWidth(qreal width) = 0;
    virtual qreal height() const = 0;
    virtual qreal idealWidth() const = 0;  // no wider than setWidth()'s
    virtual void paint(QPainter& painter, const PaintRequest& request) = 0;

    virtual int length() const = 0;
    virtual QString text(int from, int to) const = 0;
    virtual int offsetAt(QPointF point) const = 0;  // the nearest
    virtual QRectF caretRect(int offset) const = 0;
    virtual QString linkAt(QPointF) const { return {}; }
    virtual QStringList links() const { return {}; }

    static std::unique_ptr<RenderBlock> make(const MarkdownBlock& source, const TextStyle& style);
};

}  // namespace lockstep
