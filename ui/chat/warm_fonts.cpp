// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/warm_fonts.h"

#include <QImage>

namespace lockstep {

void warmFonts(const TextStyle& style) {
    constexpr int width = 400;
    MarkdownSplitter splitter;
    splitter.append(
        QString::fromUtf8("# One\n## Two\n### Three\n#### Four\n\n"
                          "Text, *italic*, **bold**, ***both***, `code`, ~~gone~~, "
                          "[link](https://example.org).\n\n"
                          "→ ≤ 中 あ 한 Ж س א ไ 😀 **中** *中*\n\n"
                          "- item\n\n1. item\n\n> quoted\n\n"
                          "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
                          "```cpp\n// why 中\nint main() { return \"a\"[0]; }\n```\n"));
    splitter.finish();
    QImage image(width, width, QImage::Format_ARGB32_Premultiplied);
    QPainter painter(&image);
    for (const MarkdownBlock& source : splitter.blocks()) {
        const std::unique_ptr<RenderBlock> block = RenderBlock::make(source, style);
        block->setWidth(width);
        PaintRequest request;
        request.clip = QRectF(0, 0, width, block->height());
        block->paint(painter, request);
    }
}

}  // namespace lockstep
