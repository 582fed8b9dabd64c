// SPDX-License-Identifier: GPL-3.0-or-later
// One message of the transcript: its blocks one under the other, a bubble or an error card around
// them, and a footer below. Heights are estimated until a block is measured; only measured blocks
// hold documents, and release() lets those go without forgetting the heights.
#pragma once

#include <QDeadlineTimer>
#include <QVector>
#include <compare>
#include <vector>

#include "ui/chat/chat_types.h"
#include "ui/chat/markdown_blocks.h"
#include "ui/chat/render_block.h"

namespace lockstep {

// A place in a message's text.
struct Spot {
    int block = 0;
    int offset = 0;
    auto operator<=>(const Spot&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm
};

// Coordinates are the message's: 0 is its top left corner, the width is the column's.
class MessageLayout {
  public:
    explicit MessageLayout(const TextStyle& style) : style_(style) {}

    // Text that begins with the text before costs only its tail. Returns from where on it looks
    // different.
    qreal setTurn(const ChatTurn& turn);
    void setWidth(qreal width);
    // An editor stands in place of the text while its height is not 0.
    void setEditorHeight(qreal height) { editor_height_ = height; }

    qreal height() const;
    QRectF textRect() const;    // what holds the blocks, padding included: bubble or full width
    QRectF errorRect() const;   // empty unless failed
    QRectF footerRect() const;  // figures and actions

    // Lays out what lies between the two. True if a height changed.
    bool measure(qreal top, qreal bottom);
    // Lays out some block that is only estimated. False: there is none.
    bool measureOne();
    bool isMeasured() const { return unmeasured_ == 0; }
    void release();

    struct Selection {
        Spot from, to;
        bool isEmpty() const { return from >= to; }
    };
    void paint(QPainter& painter, const QRectF& clip, const Selection& selection);

    int blocks() const { return static_cast<int>(blocks_.size()); }
    const MarkdownBlock& source(int block) const { return blocks_[block].source; }
    QRectF blockRect(int block) const;
    int blockAt(qreal y) const;  // the nearest; -1 where there is none

    Spot begin() const { return {}; }
    Spot end();
    Spot spotAt(QPointF point);
    QRectF caretRect(Spot spot);
    QString linkAt(QPointF point);
    QStringList links();               // of the whole message
    QString text(Spot from, Spot to);  // with list markers; code as it is
    QString blockText(int block);
    int blockLength(int block);

  private:
    struct Block {
        MarkdownBlock source = {};
        std::unique_ptr<RenderBlock> render = {};
        qreal y = 0;
        qreal height = 0;
        bool measured = false;
        bool right_to_left = false;
    };

    void prepare();
    int takeBlocks(const QVector<MarkdownBlock>& sources);
    void estimate(Block& block) const;
    qreal estimatedText(qsizetype characters, qsizetype lines, qreal width) const;
    RenderBlock* render(int index);
    bool layOut(int index);
    void place();
    void shrinkBubble();
    qreal gapBefore(int index) const;
    qreal indentOf(const Block& block) const;
    qreal blockWidth(const Block& block) const;
    qreal blocksWidth() const;
    QPointF blocksOrigin() const;
    void layOutError();
    void paintFrame(QPainter& painter) const;
    void paintMarker(QPainter& painter, const Block& block, const QRectF& rect) const;

    const TextStyle& style_;
    ChatTurn turn_;
    qreal width_ = 0;
    qreal bubble_width_ = 0;  // of the blocks in it; 0: as wide as may be
    qreal editor_height_ = 0;
    bool prepared_ = false;
    MarkdownSplitter splitter_;
    qsizetype split_ = 0;  // characters that the splitter has
    std::vector<Block> blocks_;
    int unmeasured_ = 0;
    qreal blocks_height_ = 0;
    std::unique_ptr<RenderBlock> error_;
};

}  // namespace lockstep
