// SPDX-License-Identifier: GPL-3.0-or-later
// Shows a ChatModel. Only the messages in sight hold documents, heights of the others are estimates
// that are corrected in idle moments, and what is in sight stays where it is while they are: so
// that a long chat costs what is seen of it. Text can be selected across messages, by mouse and
// keyboard.
//
// Keys: Up/Down walk the messages, Tab goes to their buttons, Page Up/Down and Space scroll,
// Shift with arrows, Home or End selects, Ctrl+A selects the message and then all, Ctrl+C copies.
#pragma once

#include <QAbstractScrollArea>
#include <QBasicTimer>
#include <QUrl>
#include <memory>
#include <optional>
#include <vector>

#include "ui/chat/message_layout.h"

class QMenu;

namespace lockstep {

class ChatModel;
class CodeHighlighter;
class MessageEditor;
class TranscriptControls;

// A place in the transcript's text.
struct TextSpot {
    int row = 0;
    Spot spot;
    auto operator<=>(const TextSpot&) const = default;  // NOLINT(modernize-use-nullptr)
};

class TranscriptView : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit TranscriptView(ChatModel* model, QWidget* parent = nullptr);
    ~TranscriptView() override;

    ChatModel* model() const { return model_; }
    const TextStyle& textStyle() const { return *style_; }

    // Sticks to the end as long as the user does not scroll away from it.
    bool isAtEnd() const { return at_end_; }
    void scrollToEnd();

    int currentRow() const { return current_; }  // -1: none
    void setCurrentRow(int row);
    int rowAt(int viewport_y) const;  // the nearest; -1: none
    QRect rowRect(int row) const;     // in the viewport's coordinates
    MessageLayout& layoutOf(int row) { return *rows_[row]; }
    // First and last row in sight; first > last: none.
    std::pair<int, int> visibleRows() const;

    QString footerText(int row) const;  // the figures under an answer, or what it is doing

    bool hasSelection() const { return anchor_spot_ != cursor_spot_; }
    QString selectedText();
    void select(TextSpot from, TextSpot to);
    void clearSelection();
    void selectAll();
    TextSpot spotAt(QPoint viewport_point);
    QRect caretRect(TextSpot spot);  // in the viewport's coordinates

    void copySelection();
    void copyMessage(int row);
    void copyCode(int row, int block);
    void beginEdit(int row);
    void cancelEdit();
    bool isEditing() const { return editor_ != nullptr; }
    MessageEditor* editor() const { return editor_; }

  Q_SIGNALS:
    void editAccepted(int row, const QString& text);
    void repeatRequested(int row);
    void linkActivated(const QUrl& url);
    void atEndChanged(bool at_end);
    void currentRowChanged(int row);
    void layoutChanged();  // something moved

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void changeEvent(QEvent* event) override;
    void timerEvent(QTimerEvent* event) override;
    void showEvent(QShowEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

  private:
    // What stays where it is while heights change.
    struct Anchor {
        int row = -1;
        int block = -1;
        qreal offset = 0;
    };

    void restyle();
    void insertRows(int first, int last);
    void removeRows(int first, int last);
    void resetRows();
    void updateRows(int first, int last);

    // After any change of rows, heights or width. Repaints all, or, if nothing in sight moved, what
    // of `changed_row` is below `changed_from`; row -1: nothing.
    void refresh();
    void refresh(int changed_row, qreal changed_from);
    void layOut();
    std::vector<qreal> shownPlaces() const;  // of what is in sight
    void placeRows();
    bool measureVisible();
    void measureIdle();
    void releaseFar();
    Anchor anchorAt(qreal y) const;
    qreal yOf(const Anchor& anchor) const;
    void setScroll(qreal y);
    void setAtEnd(bool at_end);
    qreal columnX() const;
    qreal columnWidth() const;
    QPointF rowOrigin(int row) const;  // in the viewport's coordinates
    void placeEditor();

    void paintRow(QPainter& painter, int row, const QRectF& clip);
    void paintFooter(QPainter& painter, int row);
    void animate();

    bool keyNavigates(QKeyEvent* event);
    bool keySelects(QKeyEvent* event);
    bool keyScrolls(QKeyEvent* event);
    void walkRows(int step);
    void moveCaret(TextSpot spot, bool keep_anchor);
    TextSpot caretMoved(int key, bool by_word);
    TextSpot caretMovedVertically(bool down);
    void ensureVisible(const QRect& viewport_rect);
    void selectWord(TextSpot spot);
    void selectBlock(TextSpot spot);
    void dragTo(QPoint viewport_point);
    QString linkAt(QPoint viewport_point);
    void activateLink(const QString& link);
    void addLinksTo(QMenu& menu, int row);
    void updateCursorShape(QPoint viewport_point);

    ChatModel* model_;
    CodeHighlighter* highlighter_;
    std::unique_ptr<TextStyle> style_;
    std::vector<std::unique_ptr<MessageLayout>> rows_;
    std::vector<qreal> tops_;  // of rows, in the content's coordinates; one more: the end
    std::vector<bool> held_;   // rows that may hold documents
    Anchor anchor_;
    bool at_end_ = true;
    bool scrolling_ = false;  // by ourselves
    int current_ = -1;
    bool show_focus_ = false;  // the keyboard is in use
    int phase_ = 0;            // of the animation

    TextSpot anchor_spot_, cursor_spot_;
    qreal caret_x_ = -1;  // column of vertical caret moves
    bool dragging_ = false;
    QPoint drag_point_;
    QString pressed_link_;
    QBasicTimer drag_timer_, idle_timer_, animation_timer_;
    int clicks_ = 0;
    qint64 last_click_ = 0;

    MessageEditor* editor_ = nullptr;
    int edited_row_ = -1;
    TranscriptControls* controls_;
};

}  // namespace lockstep
