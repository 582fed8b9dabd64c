// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/growing_text_edit.h"

#include <QAbstractTextDocumentLayout>
#include <QKeyEvent>
#include <QMimeData>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextDocument>
#include <cmath>

namespace lockstep {

GrowingTextEdit::GrowingTextEdit(QWidget* parent) : QPlainTextEdit(parent) {
    setTabChangesFocus(true);
    setLineWrapMode(QPlainTextEdit::WidgetWidth);
    setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
            &GrowingTextEdit::fit);
    fit();
}

void GrowingTextEdit::setMaximumLines(int lines) {
    maximum_lines_ = lines;
    fit();
}

void GrowingTextEdit::setMinimumLines(int lines) {
    minimum_lines_ = lines;
    fit();
}

void GrowingTextEdit::setHistory(const QStringList& sent) {
    history_ = sent;
    history_index_ = -1;
}

void GrowingTextEdit::addToHistory(const QString& sent) {
    if (history_.isEmpty() || history_.last() != sent) history_.append(sent);
    history_index_ = -1;
    draft_.clear();
}

QSize GrowingTextEdit::sizeHint() const {
    return {QPlainTextEdit::sizeHint().width(), height()};
}

QSize GrowingTextEdit::minimumSizeHint() const {
    return {fontMetrics().averageCharWidth() * 12, heightFor(minimum_lines_)};
}

int GrowingTextEdit::heightFor(int lines) const {
    const QMargins margins = contentsMargins() + viewportMargins();
    return static_cast<int>(std::ceil(lines * QFontMetricsF(font()).lineSpacing() +
                                      2 * document()->documentMargin())) +
           margins.top() + margins.bottom() + 2 * frameWidth();
}

// Lays out no more than is needed to know. A plain text layout is lazy: its own size is a guess.
int GrowingTextEdit::linesUpToLimit() const {
    int lines = 0;
    for (QTextBlock block = document()->begin(); block.isValid() && lines <= maximum_lines_;
         block = block.next()) {
        document()->documentLayout()->blockBoundingRect(block);
        lines += qMax(block.layout()->lineCount(), 1);
    }
    return lines;
}

void GrowingTextEdit::fit() {
    if (fitting_) return;
    fitting_ = true;
    const int lines = linesUpToLimit();
    fitting_ = false;
    const int wanted = heightFor(qBound(minimum_lines_, lines, maximum_lines_));
    setVerticalScrollBarPolicy(lines > maximum_lines_ ? Qt::ScrollBarAsNeeded
                                                      : Qt::ScrollBarAlwaysOff);
    if (wanted == height() && minimumHeight() == wanted) return;
    setFixedHeight(wanted);
    if (lines <= maximum_lines_) verticalScrollBar()->setValue(0);
    Q_EMIT heightChanged();
}

void GrowingTextEdit::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    fit();
}

void GrowingTextEdit::changeEvent(QEvent* event) {
    QPlainTextEdit::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

void GrowingTextEdit::insertFromMimeData(const QMimeData* source) {
    if (source->hasText()) insertPlainText(source->text());
}

void GrowingTextEdit::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    const bool shift = event->modifiers().testFlag(Qt::ShiftModifier);
    if (enter && shift) {
        insertPlainText(QStringLiteral("\n"));
        ensureCursorVisible();
        return;
    }
    const bool control = event->modifiers().testFlag(Qt::ControlModifier);
    if (enter && (enter_submits_ || control)) {
        Q_EMIT submitted();
        return;
    }
    if (event->key() == Qt::Key_Escape) {
        Q_EMIT cancelled();
        return;
    }
    if (event->modifiers() == Qt::NoModifier && walkHistory(event->key())) return;
    QPlainTextEdit::keyPressEvent(event);
}

// Up at the very start goes back; Down at the very end comes forward again, if it had gone back.
bool GrowingTextEdit::walkHistory(int key) {
    const QTextCursor cursor = textCursor();
    const int last = static_cast<int>(history_.size()) - 1;
    if (key == Qt::Key_Up && cursor.atStart() && !cursor.hasSelection() && last >= 0) {
        if (history_index_ == 0) return true;
        if (history_index_ < 0) draft_ = toPlainText();
        showHistory(history_index_ < 0 ? last : history_index_ - 1);
        return true;
    }
    if (key == Qt::Key_Down && history_index_ >= 0 && (cursor.atEnd() || cursor.atStart())) {
        showHistory(history_index_ == last ? -1 : history_index_ + 1);
        return true;
    }
    return false;
}

// The cursor stays at the start, so that Up goes on.
void GrowingTextEdit::showHistory(int index) {
    history_index_ = index;
    setPlainText(index < 0 ? draft_ : history_[index]);
    moveCursor(index < 0 ? QTextCursor::End : QTextCursor::Start);
}

}  // namespace lockstep
