// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/prose_block.h"

#include <QAbstractTextDocumentLayout>
#include <QFontInfo>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextFragment>
#include <QTextTable>
#include <QUrl>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

constexpr int line_height_percent = 122;

// What a range of fragments is to become; collected first, since changing them moves the iterators.
struct Run {
    int from, to;
    QTextCharFormat format;
};

template <typename Visit>
void forEachFragment(const QTextDocument& document, Visit visit) {
    for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
        for (auto it = block.begin(); !it.atEnd(); ++it) visit(it.fragment());
    }
}

void selectRange(QTextCursor& cursor, int from, int to) {
    cursor.setPosition(from);
    cursor.setPosition(to, QTextCursor::KeepAnchor);
}

QString shownText(QString text) {
    for (QChar& c : text) {
        switch (c.unicode()) {
            case QChar::ParagraphSeparator:
            case QChar::LineSeparator:
            case 0xfdd0:  // QTextDocument's begin and end of a frame or cell
            case 0xfdd1:
                c = QLatin1Char('\n');
                break;
            case QChar::Nbsp:
                c = QLatin1Char(' ');
                break;
            default:
                break;
        }
    }
    return text;
}

QString tableText(const QTextTable& table) {
    QStringList rows;
    for (int row = 0; row < table.rows(); ++row) {
        QStringList cells;
        for (int column = 0; column < table.columns(); ++column) {
            const QTextTableCell cell = table.cellAt(row, column);
            QTextCursor cursor = cell.firstCursorPosition();
            cursor.setPosition(cell.lastPosition(), QTextCursor::KeepAnchor);
            cells << shownText(cursor.selectedText()).replace(QLatin1Char('\n'), QLatin1Char(' '));
        }
        rows << cells.join(QLatin1Char('\t'));
    }
    return rows.join(QLatin1Char('\n'));
}

QTextTable* onlyTable(const QTextDocument& document) {
    const auto frames = document.rootFrame()->childFrames();
    return frames.isEmpty() ? nullptr : qobject_cast<QTextTable*>(frames.first());
}

}  // namespace

ProseDocument::ProseDocument(const MarkdownBlock& source, const TextStyle& style) {
    setUndoRedoEnabled(false);
    setDocumentMargin(0);
    setDefaultFont(style.font);
    QTextOption option = defaultTextOption();
    option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    setDefaultTextOption(option);
    // No layout listens yet: each change costs itself only.
    if (source.kind == BlockKind::plain) {
        setPlainText(source.text);
        styleBlocks(0);
    } else {
        setMarkdownText(source, style);
    }
}

QVariant ProseDocument::loadResource(int, const QUrl&) {
    return {};
}

void ProseDocument::setMarkdownText(const MarkdownBlock& source, const TextStyle& style) {
    setMarkdown(source.text, MarkdownFeatures(MarkdownDialectGitHub) | MarkdownNoHTML);
    replaceImages();
    styleBlocks(style.lineHeight() * 0.5);
    styleRuns(style);
    styleTables(style);
}

// An image becomes a link to it, named by its description.
void ProseDocument::replaceImages() {
    struct Image {
        int position;
        QTextImageFormat format;
    };
    QVector<Image> images;
    forEachFragment(*this, [&](const QTextFragment& fragment) {
        if (!fragment.charFormat().isImageFormat()) return;
        for (int i = 0; i < fragment.length(); ++i) {
            images.append({fragment.position() + i, fragment.charFormat().toImageFormat()});
        }
    });
    QTextCursor cursor(this);
    for (auto image = images.crbegin(); image != images.crend(); ++image) {
        QString name = image->format.property(QTextFormat::ImageAltText).toString();
        if (name.isEmpty()) name = image->format.name();
        QTextCharFormat link;
        link.setAnchor(true);
        link.setAnchorHref(image->format.name());
        selectRange(cursor, image->position, image->position + 1);
        cursor.insertText(name, link);
    }
}

void ProseDocument::styleBlocks(qreal paragraph_gap) {
    const bool has_table = onlyTable(*this) != nullptr;
    QTextCursor cursor(this);
    for (QTextBlock block = begin(); block.isValid(); block = block.next()) {
        cursor.setPosition(block.position());
        const bool in_table = cursor.currentTable() != nullptr;
        QTextBlockFormat format;
        format.setTopMargin(0);
        const bool gap = block.next().isValid() && !has_table;
        format.setBottomMargin(gap ? paragraph_gap : 0);
        if (has_table && !in_table && block.text().isEmpty()) {
            // The paragraphs that QTextDocument keeps around a table.
            format.setLineHeight(1, QTextBlockFormat::FixedHeight);
        } else {
            format.setLineHeight(line_height_percent, QTextBlockFormat::ProportionalHeight);
        }
        cursor.mergeBlockFormat(format);
    }
}

void ProseDocument::styleRuns(const TextStyle& style) {
    static constexpr qreal heading_scale[] = {1, 1.45, 1.28, 1.14, 1.05, 1, 1};
    QVector<Run> runs;
    forEachFragment(*this, [&](const QTextFragment& fragment) {
        QTextCharFormat format = fragment.charFormat();
        const QTextBlock block = findBlock(fragment.position());
        const int level = qBound(0, block.blockFormat().headingLevel(), 6);
        if (level > 0) {
            format.clearProperty(QTextFormat::FontSizeAdjustment);
            format.setFontPointSize(QFontInfo(style.font).pointSizeF() * heading_scale[level]);
            format.setFontWeight(QFont::DemiBold);
        }
        if (format.fontFixedPitch()) {
            format.setFontFamilies({QFontInfo(style.code_font).family()});
            format.setFontPointSize(QFontInfo(style.code_font).pointSizeF() * heading_scale[level]);
            format.setBackground(themeColors(style.palette).code);
        }
        if (format.isAnchor()) {
            format.setForeground(style.palette.color(QPalette::Link));
            format.setFontUnderline(true);
        }
        if (format == fragment.charFormat()) return;
        runs.append({fragment.position(), fragment.position() + fragment.length(), format});
    });
    QTextCursor cursor(this);
    for (const Run& run : runs) {
        selectRange(cursor, run.from, run.to);
        cursor.setCharFormat(run.format);
    }
}

void ProseDocument::styleTables(const TextStyle& style) {
    QTextTable* table = onlyTable(*this);
    if (!table) return;
    const ThemeColors& colors = themeColors(style.palette);
    QTextTableFormat format = table->format();
    format.setBorder(1);
    format.setBorderCollapse(true);
    format.setBorderStyle(QTextFrameFormat::BorderStyle_Solid);
    format.setBorderBrush(colors.separator);
    format.setCellPadding(style.lineHeight() * 0.3);
    format.setCellSpacing(0);
    format.setTopMargin(0);
    format.setBottomMargin(0);
    format.setMargin(0);
    table->setFormat(format);
    for (int column = 0; column < table->columns(); ++column) {
        QTextTableCell cell = table->cellAt(0, column);
        QTextCharFormat head = cell.format();
        head.setBackground(colors.code);
        cell.setFormat(head);
    }
}

ProseBlock::ProseBlock(const MarkdownBlock& source, const TextStyle& style)
    : style_(style),
      quote_(source.kind == BlockKind::quote),
      inset_(quote_ ? style.averageWidth() * 2 : 0),
      document_(source, style) {}

void ProseBlock::setWidth(qreal width) {
    document_.setTextWidth(qMax<qreal>(width - inset_, 1));
}

qreal ProseBlock::height() const {
    return document_.size().height();
}

qreal ProseBlock::idealWidth() const {
    return document_.idealWidth() + inset_;
}

void ProseBlock::paint(QPainter& painter, const PaintRequest& request) {
    const ThemeColors& colors = themeColors(style_.palette);
    if (quote_) {
        const qreal bar = qMax<qreal>(style_.averageWidth() * 0.4, 2);
        painter.setPen(Qt::NoPen);
        painter.setBrush(colors.control);
        painter.drawRoundedRect(QRectF(0, 0, bar, height()), bar / 2, bar / 2);
    }
    QAbstractTextDocumentLayout::PaintContext context;
    context.palette = style_.palette;
    if (quote_) context.palette.setColor(QPalette::Text, colors.muted);
    context.clip = request.clip.translated(-inset_, 0);
    if (request.selection_from < request.selection_to) {
        QAbstractTextDocumentLayout::Selection selection;
        selection.cursor = QTextCursor(&document_);
        selectRange(selection.cursor, request.selection_from, request.selection_to);
        selection.format.setBackground(style_.palette.color(QPalette::Highlight));
        selection.format.setForeground(style_.palette.color(QPalette::HighlightedText));
        context.selections.append(selection);
    }
    painter.save();
    painter.translate(inset_, 0);
    document_.documentLayout()->draw(&painter, context);
    painter.restore();
}

int ProseBlock::length() const {
    return document_.characterCount() - 1;
}

QString ProseBlock::text(int from, int to) const {
    const QTextTable* table = onlyTable(document_);
    if (table && from <= 0 && to >= length()) return tableText(*table);
    QTextCursor cursor(const_cast<ProseDocument*>(&document_));
    selectRange(cursor, qBound(0, from, length()), qBound(0, to, length()));
    return shownText(cursor.selectedText());
}

int ProseBlock::offsetAt(QPointF point) const {
    const QPointF inside(point.x() - inset_, qBound<qreal>(0, point.y(), height()));
    const int offset = document_.documentLayout()->hitTest(inside, Qt::FuzzyHit);
    return qBound(0, offset, length());
}

QRectF ProseBlock::caretRect(int offset) const {
    const QTextBlock block = document_.findBlock(qBound(0, offset, length()));
    const QRectF box = document_.documentLayout()->blockBoundingRect(block);
    const int inside = offset - block.position();
    const QTextLine line = block.layout()->lineForTextPosition(inside);
    if (!line.isValid()) return {inset_ + box.x(), box.y(), 1, style_.lineHeight()};
    return {inset_ + box.x() + line.cursorToX(inside), box.y() + line.y(), 1, line.height()};
}

QString ProseBlock::linkAt(QPointF point) const {
    return document_.documentLayout()->anchorAt(point - QPointF(inset_, 0));
}

QStringList ProseBlock::links() const {
    QStringList links;
    forEachFragment(document_, [&](const QTextFragment& fragment) {
        const QString href = fragment.charFormat().anchorHref();
        if (!href.isEmpty() && !links.contains(href)) links << href;
    });
    return links;
}

}  // namespace lockstep
