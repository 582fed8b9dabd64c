// SPDX-License-Identifier: GPL-3.0-or-later
// Paragraphs, headings, tables, quotes and plain text, by a small QTextDocument.
#pragma once

#include <QTextDocument>

#include "ui/chat/render_block.h"

namespace lockstep {

// Loads nothing: an answer must not reach for a file or the network.
class ProseDocument : public QTextDocument {
  public:
    ProseDocument(const MarkdownBlock& source, const TextStyle& style);

  protected:
    QVariant loadResource(int type, const QUrl& name) override;

  private:
    void setMarkdownText(const MarkdownBlock& source, const TextStyle& style);
    void replaceImages();
    void styleBlocks(qreal paragraph_gap);
    void styleRuns(const TextStyle& style);
    void styleTables(const TextStyle& style);
};

class ProseBlock : public RenderBlock {
  public:
    ProseBlock(const MarkdownBlock& source, const TextStyle& style);

    bool update(const MarkdownBlock&) override { return false; }
    void setWidth(qreal width) override;
    qreal height() const override;
    qreal idealWidth() const override;
    void paint(QPainter& painter, const PaintRequest& request) override;
    int length() const override;
    QString text(int from, int to) const override;
    int offsetAt(QPointF point) const override;
    QRectF caretRect(int offset) const override;
    QString linkAt(QPointF point) const override;
    QStringList links() const override;

  private:
    const TextStyle& style_;
    bool quote_;
    qreal inset_;  // of a quote's text behind its bar
    ProseDocument document_;
};

}  // namespace lockstep
