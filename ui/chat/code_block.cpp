// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/code_block.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

constexpr int longest_line_piece = 800;

}  // namespace

CodeBlock::CodeBlock(const MarkdownBlock& source, const TextStyle& style)
    : style_(style),
      code_(source.text),
      language_(source.language),
      closed_(source.closed),
      column_width_(style.codeColumnWidth()) {
    addLines(0);
}

bool CodeBlock::update(const MarkdownBlock& source) {
    if (source.kind != BlockKind::code || !source.text.startsWith(code_)) return false;
    language_ = source.language;
    closed_ = source.closed;
    if (source.text.size() == code_.size()) return true;
    code_ = source.text;
    // The last line may have grown; what is before it stands.
    const int from = lines_.back().start;
    const size_t kept = lines_.size() - 1;
    lines_.pop_back();
    addLines(from);
    if (width_ > 0) countRows(kept);
    return true;
}

void CodeBlock::addLines(int from) {
    const int size = static_cast<int>(code_.size());
    for (int start = from; start <= size;) {
        int end = static_cast<int>(code_.indexOf(QLatin1Char('\n'), start));
        if (end < 0) end = size;
        while (end - start > longest_line_piece) {
            int cut = longest_line_piece;
            if (code_[start + cut].isLowSurrogate()) --cut;
            lines_.push_back({.start = start, .length = cut});
            start += cut;
        }
        lines_.push_back({.start = start, .length = end - start});
        start = end + 1;
    }
}

void CodeBlock::setWidth(qreal width) {
    if (width == width_) return;
    width_ = width;
    for (Line& line : lines_) line.layout.reset();
    countRows(0);
}

void CodeBlock::countRows(size_t from_line) {
    for (size_t i = from_line; i < lines_.size(); ++i) {
        Line& line = lines_[i];
        line.first_row = i == 0 ? 0 : lines_[i - 1].first_row + lines_[i - 1].rows;
        line.rows = fitsOneRow(line) ? 1 : qMax(layoutOf(line).lineCount(), 1);
    }
}

// Without a layout: true only for text that the fixed pitch holds for.
bool CodeBlock::fitsOneRow(const Line& line) const {
    const QStringView text = QStringView(code_).mid(line.start, line.length);
    int columns = 0;
    for (const QChar c : text) {
        if (c.unicode() >= 0x7f) return false;
        columns += c == QLatin1Char('\t') ? 4 : 1;
    }
    return columns * column_width_ <= innerWidth();
}

QTextLayout& CodeBlock::layoutOf(const Line& line) const {
    if (line.layout) return *line.layout;
    line.layout =
        std::make_unique<QTextLayout>(code_.mid(line.start, line.length), style_.code_font);
    QTextOption option;
    option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    option.setTabStopDistance(column_width_ * 4);
    option.setTextDirection(Qt::LeftToRight);
    line.layout->setTextOption(option);
    line.layout->setCacheEnabled(true);
    line.layout->setFormats(formatsOf(line));
    line.layout->beginLayout();
    int row = 0;
    for (QTextLine text = line.layout->createLine(); text.isValid();
         text = line.layout->createLine()) {
        const qreal indent = row == 0 ? 0 : hangingIndent(line);
        text.setLineWidth(innerWidth() - indent);
        text.setPosition({indent, rowHeight() * row++});
    }
    line.layout->endLayout();
    return *line.layout;
}

// Where a wrapped line goes on: further in than it began.
qreal CodeBlock::hangingIndent(const Line& line) const {
    int columns = 4;
    for (int i = line.start; i < line.start + line.length && code_[i].isSpace(); ++i) ++columns;
    return qMin(columns * column_width_, innerWidth() / 2);
}

QVector<QTextLayout::FormatRange> CodeBlock::formatsOf(const Line& line) const {
    QVector<QTextLayout::FormatRange> formats;
    if (!spans_) return formats;
    const auto before = [](const CodeSpan& span, int start) {
        return span.start + span.length <= start;
    };
    auto span = std::lower_bound(spans_->begin(), spans_->end(), line.start, before);
    for (; span != spans_->end() && span->start < line.start + line.length; ++span) {
        QTextLayout::FormatRange range;
        range.start = qMax(span->start - line.start, 0);
        range.length = qMin(span->start + span->length - line.start, line.length) - range.start;
        range.format.setForeground(codeTokenColor(span->token, style_.palette));
        if (span->token == CodeToken::comment) range.format.setFontItalic(true);
        formats.append(range);
    }
    return formats;
}

void CodeBlock::takeHighlights() {
    if (!closed_ || spans_ || !style_.highlighter || language_.isEmpty()) return;
    spans_ = style_.highlighter->spans(code_, language_);
    if (!spans_) return;
    for (Line& line : lines_) line.layout.reset();
}

void CodeBlock::paint(QPainter& painter, const PaintRequest& request) {
    takeHighlights();
    const ThemeColors& colors = themeColors(style_.palette);
    const qreal corner = style_.averageWidth();
    painter.setPen(QPen(colors.separator, 1));
    painter.setBrush(colors.code);
    painter.drawRoundedRect(QRectF(0.5, 0.5, width_ - 1, height() - 1), corner, corner);
    painter.setPen(colors.muted);
    painter.setFont(style_.font);
    const QRectF strip(padding(), 0, width_ - 2 * padding(), headerHeight(style_));
    painter.drawText(strip, Qt::AlignVCenter | Qt::AlignLeft, languageLabel(language_));

    const qreal top = headerHeight(style_);
    const int first = qMax(0, static_cast<int>((request.clip.top() - top) / rowHeight()));
    const int last = static_cast<int>((request.clip.bottom() - top) / rowHeight());
    painter.setPen(style_.palette.color(QPalette::Text));
    for (const Line* line = &lineAtRow(first); line <= &lines_.back(); ++line) {
        if (line->first_row > last) break;
        QVector<QTextLayout::FormatRange> selected;
        const int from = qMax(request.selection_from - line->start, 0);
        const int to = qMin(request.selection_to - line->start, line->length);
        if (from < to) {
            QTextLayout::FormatRange range{from, to - from, {}};
            range.format.setBackground(style_.palette.color(QPalette::Highlight));
            range.format.setForeground(style_.palette.color(QPalette::HighlightedText));
            selected.append(range);
        }
        layoutOf(*line).draw(&painter, originOf(*line), selected);
    }
}

qreal CodeBlock::height() const {
    const int rows = lines_.back().first_row + lines_.back().rows;
    return headerHeight(style_) + rows * rowHeight() + padding();
}

int CodeBlock::offsetAt(QPointF point) const {
    const qreal y = point.y() - headerHeight(style_);
    if (y < 0) return 0;
    const int row = static_cast<int>(y / rowHeight());
    const Line& line = lineAtRow(row);
    if (row >= line.first_row + line.rows) return length();
    const QTextLayout& layout = layoutOf(line);
    if (layout.lineCount() == 0) return line.start;
    const QTextLine text = layout.lineAt(qMin(row - line.first_row, layout.lineCount() - 1));
    return line.start + text.xToCursor(point.x() - padding());
}

QRectF CodeBlock::caretRect(int offset) const {
    const Line& line = lineAtOffset(offset);
    const QTextLayout& layout = layoutOf(line);
    const QPointF origin = originOf(line);
    const QTextLine text = layout.lineForTextPosition(offset - line.start);
    if (!text.isValid()) return {origin.x(), origin.y(), 1, rowHeight()};
    return {origin.x() + text.cursorToX(offset - line.start), origin.y() + text.y(), 1,
            rowHeight()};
}

qreal CodeBlock::headerHeight(const TextStyle& style) {
    return std::round(style.lineHeight() * 1.9);
}

QString CodeBlock::languageLabel(const QString& language) {
    return language.isEmpty() ? QCoreApplication::translate("CodeBlock", "text") : language;
}

qreal CodeBlock::padding() const {
    return std::round(style_.lineHeight() * 0.7);
}

qreal CodeBlock::rowHeight() const {
    return style_.codeRowHeight();
}

qreal CodeBlock::innerWidth() const {
    return qMax<qreal>(width_ - 2 * padding(), column_width_);
}

QPointF CodeBlock::originOf(const Line& line) const {
    return {padding(), headerHeight(style_) + line.first_row * rowHeight()};
}

const CodeBlock::Line& CodeBlock::lineAtRow(int row) const {
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), row,
                                        [](int r, const Line& l) { return r < l.first_row; });
    return after == lines_.begin() ? lines_.front() : *std::prev(after);
}

const CodeBlock::Line& CodeBlock::lineAtOffset(int offset) const {
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset,
                                        [](int o, const Line& l) { return o < l.start; });
    return after == lines_.begin() ? lines_.front() : *std::prev(after);
}

}  // namespace lockstep
