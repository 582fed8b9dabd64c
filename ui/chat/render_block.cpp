// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/render_block.h"

#include <QFontDatabase>
#include <QFontInfo>
#include <QFontMetricsF>
#include <cmath>

#include "ui/chat/code_block.h"
#include "ui/chat/prose_block.h"

namespace lockstep {

TextStyle::TextStyle(const QPalette& p, const QFont& f, CodeHighlighter* h)
    : palette(p),
      font(f),
      code_font(QFontDatabase::systemFont(QFontDatabase::FixedFont)),
      highlighter(h) {
    code_font.setPointSizeF(QFontInfo(f).pointSizeF() * 0.94);
    const QFontMetricsF metrics(font), code_metrics(code_font);
    line_height_ = std::ceil(metrics.lineSpacing());
    average_width_ = metrics.averageCharWidth();
    code_row_height_ = std::ceil(code_metrics.height() * 1.2);
    code_column_width_ = code_metrics.horizontalAdvance(QLatin1Char('M'));
}

std::unique_ptr<RenderBlock> RenderBlock::make(const MarkdownBlock& source,
                                               const TextStyle& style) {
    if (source.kind == BlockKind::code) return std::make_unique<CodeBlock>(source, style);
    return std::make_unique<ProseBlock>(source, style);
}

}  // namespace lockstep
