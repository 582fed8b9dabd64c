// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/message_layout.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

constexpr qreal bubble_share = 0.85;  // of the column, at most
constexpr int most_blocks_to_shrink = 6;

MarkdownSplitter splitterFor(const ChatTurn& turn) {
    using Syntax = MarkdownSplitter::Syntax;
    return MarkdownSplitter(turn.author == TurnAuthor::user ? Syntax::fences_only
                                                            : Syntax::markdown);
}

bool isOpen(const ChatTurn& turn) {
    return turn.state == TurnState::waiting || turn.state == TurnState::streaming;
}

}  // namespace

qreal MessageLayout::setTurn(const ChatTurn& turn) {
    const bool grows =
        prepared_ && isOpen(turn_) && turn.author == turn_.author && turn.text.size() >= split_;
    turn_ = turn;
    qreal changed_from = 0;
    if (!grows) {
        prepared_ = false;
        blocks_.clear();
        splitter_ = splitterFor(turn);
        split_ = 0;
        unmeasured_ = 1;
        bubble_width_ = 0;
        blocks_height_ = turn.text.isEmpty()
                             ? 0
                             : estimatedText(turn.text.size(), turn.text.count(QLatin1Char('\n')),
                                             blocksWidth());
    } else {
        splitter_.append(turn.text.mid(split_));
        split_ = turn.text.size();
        if (!isOpen(turn)) splitter_.finish();
        const int changed = takeBlocks(splitter_.blocks());
        place();
        changed_from = changed < blocks() ? blockRect(changed).top() : textRect().bottom();
    }
    layOutError();
    return changed_from;
}

void MessageLayout::prepare() {
    if (prepared_) return;
    prepared_ = true;
    splitter_ = splitterFor(turn_);
    splitter_.append(turn_.text);
    split_ = turn_.text.size();
    if (!isOpen(turn_)) splitter_.finish();
    takeBlocks(splitter_.blocks());
    shrinkBubble();
    place();
}

// Blocks that stayed the same keep their layout. Returns the first that did not.
int MessageLayout::takeBlocks(const QVector<MarkdownBlock>& sources) {
    const size_t count = static_cast<size_t>(sources.size());
    blocks_.resize(count);
    int first_changed = static_cast<int>(count);
    for (size_t i = 0; i < count; ++i) {
        Block& block = blocks_[i];
        const MarkdownBlock& source = sources[static_cast<qsizetype>(i)];
        const bool known = block.height > 0;
        if (known && block.source == source) continue;
        first_changed = qMin(first_changed, static_cast<int>(i));
        const bool same_layout = block.source.kind == source.kind &&
                                 block.source.depth == source.depth && block.render &&
                                 block.render->update(source);
        const bool same_text = known && block.source.text == source.text &&
                               block.source.kind == source.kind &&
                               block.source.depth == source.depth;
        block.source = source;
        block.right_to_left = source.kind != BlockKind::code && source.text.isRightToLeft();
        if (same_layout && block.measured) {
            block.height = block.render->height();
        } else if (!same_text) {
            block.render.reset();
            block.measured = false;
            estimate(block);
        }
    }
    unmeasured_ = static_cast<int>(
        std::count_if(blocks_.begin(), blocks_.end(), [](const Block& b) { return !b.measured; }));
    return first_changed;
}

qreal MessageLayout::estimatedText(qsizetype characters, qsizetype lines, qreal width) const {
    const qreal per_line = qMax<qreal>(width / style_.averageWidth(), 8);
    const qreal rows = std::ceil(static_cast<qreal>(characters) / per_line);
    return (rows + static_cast<qreal>(lines) * 0.5) * style_.lineHeight() * 1.2;
}

void MessageLayout::estimate(Block& block) const {
    const QString& text = block.source.text;
    const auto lines = text.count(QLatin1Char('\n'));
    if (block.source.kind == BlockKind::code) {
        block.height =
            (static_cast<qreal>(lines) + 1) * style_.codeRowHeight() + style_.lineHeight() * 2.6;
    } else {
        block.height =
            qMax(estimatedText(text.size(), lines, blockWidth(block)), style_.lineHeight());
    }
}

void MessageLayout::setWidth(qreal width) {
    if (width == width_) return;
    width_ = width;
    bubble_width_ = 0;
    for (Block& block : blocks_) {
        block.measured = false;
        estimate(block);
    }
    unmeasured_ = prepared_ ? blocks() : 1;
    if (prepared_) {
        shrinkBubble();
        place();
    }
    layOutError();
}

// A bubble is as wide as its longest line, if that is cheaply known.
void MessageLayout::shrinkBubble() {
    if (turn_.author != TurnAuthor::user || blocks() > most_blocks_to_shrink) return;
    bubble_width_ = 0;
    qreal ideal = 0;
    for (int i = 0; i < blocks(); ++i) {
        RenderBlock* block = render(i);
        block->setWidth(blockWidth(blocks_[i]));
        ideal = qMax(ideal, block->idealWidth());
    }
    bubble_width_ = qMin(std::ceil(ideal) + 1, blocksWidth());
}

RenderBlock* MessageLayout::render(int index) {
    Block& block = blocks_[index];
    if (!block.render) block.render = RenderBlock::make(block.source, style_);
    return block.render.get();
}

// True if the height changed.
bool MessageLayout::layOut(int index) {
    Block& block = blocks_[index];
    if (block.measured && block.render) return false;
    const qreal before = block.height;
    if (block.source.kind == BlockKind::rule) {
        block.height = style_.lineHeight();
    } else {
        RenderBlock* rendered = render(index);
        rendered->setWidth(blockWidth(block));
        block.height = std::ceil(rendered->height());
    }
    if (!block.measured) --unmeasured_;
    block.measured = true;
    return block.height != before;
}

void MessageLayout::place() {
    qreal y = 0;
    for (int i = 0; i < blocks(); ++i) {
        y += gapBefore(i);
        blocks_[i].y = y;
        y += blocks_[i].height;
    }
    blocks_height_ = y;
}

qreal MessageLayout::gapBefore(int index) const {
    if (index == 0) return 0;
    const MarkdownBlock& block = blocks_[index].source;
    const MarkdownBlock& above = blocks_[index - 1].source;
    if (block.continued) return 0;
    const bool item = !block.marker.isEmpty() && block.depth > 0;
    if (item && !block.blank_before && above.kind == BlockKind::prose && above.depth > 0) {
        return std::round(style_.lineHeight() * 0.25);
    }
    if (item && above.depth > 0 && above.kind == BlockKind::prose) {
        return std::round(style_.lineHeight() * 0.45);
    }
    const bool heading = block.kind == BlockKind::prose && block.text.startsWith(QLatin1Char('#'));
    return std::round(style_.lineHeight() * (heading ? 1.0 : 0.65));
}

bool MessageLayout::measure(qreal top, qreal bottom) {
    prepare();
    const qreal before = height();
    bool changed = false;
    const qreal origin = blocksOrigin().y();
    for (int i = qMax(blockAt(top), 0); i < blocks(); ++i) {
        if (blocks_[i].y + origin > bottom) break;
        if (!layOut(i)) continue;
        changed = true;
        place();
    }
    return changed || height() != before;
}

bool MessageLayout::measureOne() {
    if (!prepared_) {
        prepare();
        return true;
    }
    for (int i = 0; i < blocks(); ++i) {
        if (blocks_[i].measured) continue;
        if (layOut(i)) place();
        return true;
    }
    return false;
}

void MessageLayout::release() {
    for (Block& block : blocks_) block.render.reset();
}

// Geometry

qreal MessageLayout::blocksWidth() const {
    if (turn_.author == TurnAuthor::assistant) return qMax<qreal>(width_, 1);
    if (bubble_width_ > 0) return bubble_width_;
    return qMax<qreal>(std::floor(width_ * bubble_share) - 2 * style_.lineHeight() * 0.8, 1);
}

qreal MessageLayout::indentOf(const Block& block) const {
    return block.source.depth * std::round(style_.averageWidth() * 3.6);
}

qreal MessageLayout::blockWidth(const Block& block) const {
    return qMax<qreal>(blocksWidth() - indentOf(block), style_.averageWidth() * 8);
}

QRectF MessageLayout::textRect() const {
    if (editor_height_ > 0) return {0, 0, width_, editor_height_};
    if (turn_.author == TurnAuthor::assistant) return {0, 0, width_, blocks_height_};
    const qreal horizontal = std::round(style_.lineHeight() * 0.8);
    const qreal vertical = std::round(style_.lineHeight() * 0.5);
    const qreal bubble = blocksWidth() + 2 * horizontal;
    return {width_ - bubble, 0, bubble, blocks_height_ + 2 * vertical};
}

QPointF MessageLayout::blocksOrigin() const {
    if (turn_.author == TurnAuthor::assistant) return {0, 0};
    const qreal horizontal = std::round(style_.lineHeight() * 0.8);
    return {textRect().x() + horizontal, std::round(style_.lineHeight() * 0.5)};
}

void MessageLayout::layOutError() {
    error_.reset();
    if (turn_.state != TurnState::failed || width_ <= 0) return;
    MarkdownBlock message;
    message.kind = BlockKind::plain;
    message.text = turn_.error;
    error_ = RenderBlock::make(message, style_);
    error_->setWidth(width_ - style_.lineHeight() * 3);
}

QRectF MessageLayout::errorRect() const {
    if (!error_) return {};
    const qreal above = textRect().height();
    const qreal gap = above > 0 ? std::round(style_.lineHeight() * 0.6) : 0;
    return {0, above + gap, width_, std::ceil(error_->height() + style_.lineHeight())};
}

QRectF MessageLayout::footerRect() const {
    const qreal top = error_ ? errorRect().bottom() : textRect().bottom();
    const qreal gap = std::round(style_.lineHeight() * 0.25);
    return {0, top + gap, width_, std::round(style_.lineHeight() * 1.7)};
}

qreal MessageLayout::height() const {
    return footerRect().bottom();
}

QRectF MessageLayout::blockRect(int index) const {
    const Block& block = blocks_[index];
    const QPointF origin = blocksOrigin();
    const qreal x = origin.x() + (block.right_to_left ? 0 : indentOf(block));
    return {x, origin.y() + block.y, blockWidth(block), block.height};
}

int MessageLayout::blockAt(qreal y) const {
    if (blocks_.empty()) return -1;
    const qreal inside = y - blocksOrigin().y();
    const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), inside,
                                        [](qreal at, const Block& b) { return at < b.y; });
    return after == blocks_.begin() ? 0 : static_cast<int>(after - blocks_.begin()) - 1;
}

}  // namespace lockstep
