// SPDX-License-Identifier: GPL-3.0-or-later
// Rows, layout and scrolling; the other transcript_*.cpp hold what else their names say.
#include "ui/chat/transcript_view.h"

#include <QEvent>
#include <QScrollBar>
#include <QTimerEvent>
#include <algorithm>
#include <cmath>

#include "ui/chat/chat_model.h"
#include "ui/chat/code_highlighter.h"
#include "ui/chat/growing_text_edit.h"
#include "ui/chat/message_editor.h"
#include "ui/chat/transcript_accessible.h"
#include "ui/chat/transcript_controls.h"
#include "ui/chat/warm_fonts.h"

namespace lockstep {
namespace {

constexpr int widest_column = 118;  // average characters
constexpr int idle_interval_ms = 25;
constexpr int idle_budget_ms = 3;
constexpr int animation_interval_ms = 350;
constexpr int kept_rows = 6;  // around what is in sight

}  // namespace

TranscriptView::TranscriptView(ChatModel* model, QWidget* parent)
    : QAbstractScrollArea(parent),
      model_(model),
      highlighter_(new CodeHighlighter(this)),
      style_(std::make_unique<TextStyle>(palette(), font(), highlighter_)) {
    warmFonts(*style_);
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
    setAccessibleName(tr("Conversation"));
    setAccessibleDescription(
        tr("Up and Down walk the messages, Tab goes to their buttons, Control C copies"));
    makeTranscriptAccessible();
    viewport()->setMouseTracking(true);
    viewport()->setBackgroundRole(QPalette::Base);
    viewport()->setCursor(Qt::IBeamCursor);
    controls_ = new TranscriptControls(this);
    connect(highlighter_, &CodeHighlighter::highlighted, viewport(),
            [this] { viewport()->update(); });
    connect(model, &QAbstractItemModel::rowsInserted, this,
            [this](const QModelIndex&, int first, int last) { insertRows(first, last); });
    connect(model, &QAbstractItemModel::rowsRemoved, this,
            [this](const QModelIndex&, int first, int last) { removeRows(first, last); });
    connect(model, &QAbstractItemModel::modelReset, this, [this] { resetRows(); });
    connect(model, &QAbstractItemModel::dataChanged, this,
            [this](const QModelIndex& first, const QModelIndex& last) {
                updateRows(first.row(), last.row());
            });
    resetRows();
}

TranscriptView::~TranscriptView() {
    rows_.clear();
}

// Rows

void TranscriptView::insertRows(int first, int last) {
    for (int row = first; row <= last; ++row) {
        auto layout = std::make_unique<MessageLayout>(*style_);
        layout->setWidth(columnWidth());
        layout->setTurn(model_->turn(row));
        rows_.insert(rows_.begin() + row, std::move(layout));
        held_.insert(held_.begin() + row, false);
    }
    refresh();
    animate();
}

void TranscriptView::removeRows(int first, int last) {
    cancelEdit();
    clearSelection();
    rows_.erase(rows_.begin() + first, rows_.begin() + last + 1);
    held_.erase(held_.begin() + first, held_.begin() + last + 1);
    current_ = qMin(current_, static_cast<int>(rows_.size()) - 1);
    refresh();
    animate();
}

void TranscriptView::resetRows() {
    cancelEdit();
    clearSelection();
    rows_.clear();
    held_.clear();
    current_ = -1;
    anchor_ = {};
    setAtEnd(true);
    if (model_->turns() > 0) {
        insertRows(0, model_->turns() - 1);
    } else {
        refresh();
        animate();
    }
}

void TranscriptView::updateRows(int first, int last) {
    qreal changed_from = 0;
    for (int row = first; row <= last; ++row) {
        changed_from = rows_[row]->setTurn(model_->turn(row));
    }
    if (first == last) {
        refresh(first, changed_from);
    } else {
        refresh();
    }
    animate();
}

void TranscriptView::restyle() {
    style_ = std::make_unique<TextStyle>(palette(), font(), highlighter_);
    const int editing = edited_row_;
    for (int row = 0; row < static_cast<int>(rows_.size()); ++row) {
        auto layout = std::make_unique<MessageLayout>(*style_);
        layout->setWidth(columnWidth());
        layout->setTurn(model_->turn(row));
        rows_[row] = std::move(layout);
        held_[row] = false;
    }
    if (editing >= 0 && editor_) rows_[editing]->setEditorHeight(editor_->height());
    verticalScrollBar()->setSingleStep(static_cast<int>(style_->lineHeight() * 1.5));
    refresh();
}

// Layout

qreal TranscriptView::columnWidth() const {
    const qreal margin = style_->lineHeight() * 1.2;
    const qreal widest = style_->averageWidth() * widest_column;
    return std::floor(
        qBound<qreal>(style_->averageWidth() * 16, viewport()->width() - 2 * margin, widest));
}

qreal TranscriptView::columnX() const {
    return std::floor((viewport()->width() - columnWidth()) / 2);
}

void TranscriptView::placeRows() {
    const qreal gap = std::round(style_->lineHeight() * 0.7);
    tops_.resize(rows_.size() + 1);
    qreal y = std::round(style_->lineHeight() * 1.2);
    for (size_t row = 0; row < rows_.size(); ++row) {
        tops_[row] = y;
        y += rows_[row]->height() + gap;
    }
    tops_.back() = y;
}

void TranscriptView::refresh() {
    layOut();
    viewport()->update();
}

void TranscriptView::refresh(int changed_row, qreal changed_from) {
    const std::vector<qreal> before = shownPlaces();
    layOut();
    if (shownPlaces() != before) {
        viewport()->update();
    } else if (changed_row >= 0) {
        const int top = static_cast<int>(rowOrigin(changed_row).y() + changed_from) - 2;
        viewport()->update(QRect(0, top, viewport()->width(), viewport()->height() - top));
    }
}

std::vector<qreal> TranscriptView::shownPlaces() const {
    const auto [first, last] = visibleRows();
    std::vector<qreal> places{static_cast<qreal>(first)};
    for (int row = first; row <= last; ++row) places.push_back(rowOrigin(row).y());
    return places;
}

void TranscriptView::layOut() {
    const int page = viewport()->height();
    // Measuring what is in sight can bring more of it in sight.
    for (int pass = 0; pass < 10; ++pass) {
        placeRows();
        QScrollBar* bar = verticalScrollBar();
        scrolling_ = true;
        bar->setPageStep(page);
        bar->setRange(0, qMax(0, static_cast<int>(std::ceil(tops_.back())) - page));
        scrolling_ = false;
        setScroll(at_end_ ? bar->maximum() : yOf(anchor_));
        if (!measureVisible()) break;
    }
    if (!rows_.empty()) {
        // The bar has whole pixels: without the rest, many small corrections would add up to some.
        const int scrolled = verticalScrollBar()->value();
        const qreal rest = yOf(anchor_) - scrolled;
        anchor_ = anchorAt(scrolled);
        if (qAbs(rest) < 1) anchor_.offset += rest;
    }
    releaseFar();
    placeEditor();
    controls_->sync();
    if (!idle_timer_.isActive()) idle_timer_.start(idle_interval_ms, this);
    Q_EMIT layoutChanged();
}

std::pair<int, int> TranscriptView::visibleRows() const {
    if (rows_.empty()) return {0, -1};
    return {rowAt(0), rowAt(viewport()->height())};
}

bool TranscriptView::measureVisible() {
    const auto [first, last] = visibleRows();
    const qreal top = verticalScrollBar()->value();
    const qreal bottom = top + viewport()->height();
    bool changed = false;
    for (int row = first; row <= last; ++row) {
        changed |= rows_[row]->measure(top - tops_[row], bottom - tops_[row]);
        held_[row] = true;
    }
    return changed;
}

// Corrects estimates where nobody looks, a little at a time, from the end upwards.
void TranscriptView::measureIdle() {
    const QDeadlineTimer deadline(idle_budget_ms);
    bool worked = false;
    for (int row = static_cast<int>(rows_.size()) - 1; row >= 0; --row) {
        while (!rows_[row]->isMeasured() && !deadline.hasExpired()) {
            held_[row] = true;
            worked = true;
            if (!rows_[row]->measureOne()) break;
        }
        if (deadline.hasExpired()) break;
    }
    if (worked) {
        refresh(-1, 0);
    } else {
        idle_timer_.stop();
    }
}

void TranscriptView::releaseFar() {
    const auto [first, last] = visibleRows();
    for (int row = 0; row < static_cast<int>(rows_.size()); ++row) {
        if (!held_[row] || (row >= first - kept_rows && row <= last + kept_rows)) continue;
        rows_[row]->release();
        held_[row] = false;
    }
}

// Scrolling

TranscriptView::Anchor TranscriptView::anchorAt(qreal y) const {
    const auto after = std::upper_bound(tops_.begin(), std::prev(tops_.end()), y);
    const int row = qMax(0, static_cast<int>(after - tops_.begin()) - 1);
    const qreal inside = y - tops_[row];
    const int block = rows_[row]->blockAt(inside);
    if (block < 0) return {row, -1, inside};
    return {row, block, inside - rows_[row]->blockRect(block).top()};
}

qreal TranscriptView::yOf(const Anchor& anchor) const {
    if (anchor.row < 0 || anchor.row >= static_cast<int>(rows_.size())) {
        return verticalScrollBar()->value();
    }
    const MessageLayout& layout = *rows_[anchor.row];
    if (anchor.block < 0) return tops_[anchor.row] + anchor.offset;
    if (anchor.block >= layout.blocks()) return tops_[anchor.row];
    return tops_[anchor.row] + layout.blockRect(anchor.block).top() + anchor.offset;
}

void TranscriptView::setScroll(qreal y) {
    scrolling_ = true;
    verticalScrollBar()->setValue(static_cast<int>(std::round(y)));
    scrolling_ = false;
}

void TranscriptView::setAtEnd(bool at_end) {
    if (at_end_ == at_end) return;
    at_end_ = at_end;
    Q_EMIT atEndChanged(at_end);
}

void TranscriptView::scrollToEnd() {
    setAtEnd(true);
    refresh();
}

void TranscriptView::scrollContentsBy(int, int) {
    if (scrolling_ || rows_.empty()) return;
    const QScrollBar* bar = verticalScrollBar();
    anchor_ = anchorAt(bar->value());
    setAtEnd(bar->value() >= bar->maximum() - 2);
    refresh();
}

void TranscriptView::resizeEvent(QResizeEvent*) {
    for (auto& row : rows_) row->setWidth(columnWidth());
    refresh();
}

void TranscriptView::showEvent(QShowEvent* event) {
    QAbstractScrollArea::showEvent(event);
    restyle();
}

void TranscriptView::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) restyle();
}

void TranscriptView::timerEvent(QTimerEvent* event) {
    if (event->timerId() == idle_timer_.timerId()) {
        measureIdle();
    } else if (event->timerId() == drag_timer_.timerId()) {
        dragTo(drag_point_);
    } else if (event->timerId() == animation_timer_.timerId()) {
        ++phase_;
        if (rows_.empty()) return;
        const QRectF footer = rows_.back()->footerRect();
        viewport()->update(
            footer.translated(rowOrigin(static_cast<int>(rows_.size()) - 1)).toAlignedRect());
    } else {
        QAbstractScrollArea::timerEvent(event);
    }
}

void TranscriptView::animate() {
    if (!model_->isAnswering()) {
        animation_timer_.stop();
    } else if (!animation_timer_.isActive()) {
        animation_timer_.start(animation_interval_ms, this);
    }
}

QPointF TranscriptView::rowOrigin(int row) const {
    return {columnX(), tops_[row] - verticalScrollBar()->value()};
}

QRect TranscriptView::rowRect(int row) const {
    return QRectF(rowOrigin(row), QSizeF(columnWidth(), rows_[row]->height())).toAlignedRect();
}

int TranscriptView::rowAt(int viewport_y) const {
    if (rows_.empty()) return -1;
    const qreal y = viewport_y + verticalScrollBar()->value();
    const auto after = std::upper_bound(tops_.begin(), std::prev(tops_.end()), y);
    return qMax(0, static_cast<int>(after - tops_.begin()) - 1);
}

// Editing in place

void TranscriptView::beginEdit(int row) {
    if (row < 0 || row >= model_->turns() || model_->isAnswering()) return;
    if (model_->turn(row).author != TurnAuthor::user) return;
    cancelEdit();
    clearSelection();
    edited_row_ = row;
    setCurrentRow(row);
    setAtEnd(false);
    editor_ = new MessageEditor(model_->turn(row).text, viewport());
    connect(editor_, &MessageEditor::cancelled, this, [this] {
        cancelEdit();
        setFocus(Qt::OtherFocusReason);
    });
    connect(editor_, &MessageEditor::accepted, this, [this] {
        const QString text = editor_->text();
        const int edited = edited_row_;
        cancelEdit();
        Q_EMIT editAccepted(edited, text);
    });
    // Queued: its own layout is at work while it says so.
    connect(editor_, &MessageEditor::heightChanged, this, &TranscriptView::placeEditor,
            Qt::QueuedConnection);
    editor_->show();
    placeEditor();
    refresh();
    editor_->setFocus(Qt::OtherFocusReason);
    ensureVisible(editor_->geometry());
}

void TranscriptView::cancelEdit() {
    if (!editor_) return;
    editor_->hide();
    editor_->deleteLater();
    editor_ = nullptr;
    if (edited_row_ < static_cast<int>(rows_.size())) rows_[edited_row_]->setEditorHeight(0);
    edited_row_ = -1;
    refresh();
}

void TranscriptView::placeEditor() {
    if (!editor_ || edited_row_ >= static_cast<int>(rows_.size())) return;
    const int width = static_cast<int>(columnWidth());
    editor_->resize(width, editor_->height());
    const int height = editor_->sizeHint().height();
    editor_->setGeometry(QRect(rowOrigin(edited_row_).toPoint(), QSize(width, height)));
    if (rows_[edited_row_]->textRect().height() == height) return;
    rows_[edited_row_]->setEditorHeight(height);
    refresh();
}

}  // namespace lockstep
