// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/transcript_accessible.h"

#include <QAccessible>
#include <QAccessibleWidget>
#include <QHash>

#include "ui/chat/chat_model.h"
#include "ui/chat/transcript_view.h"

namespace lockstep {
namespace {

class MessageAccessible : public QAccessibleInterface {
  public:
    MessageAccessible(TranscriptView* view, int row) : view_(view), row_(row) {}

    bool isValid() const override { return row_ < view_->model()->turns(); }
    QObject* object() const override { return nullptr; }
    QAccessibleInterface* child(int) const override { return nullptr; }
    QAccessibleInterface* childAt(int, int) const override { return nullptr; }
    QAccessibleInterface* parent() const override {
        return QAccessible::queryAccessibleInterface(view_);
    }
    int childCount() const override { return 0; }
    int indexOfChild(const QAccessibleInterface*) const override { return -1; }
    void setText(QAccessible::Text, const QString&) override {}
    QAccessible::Role role() const override { return QAccessible::ListItem; }

    QRect rect() const override {
        if (!isValid()) return {};
        const QRect row = view_->rowRect(row_);
        return {view_->viewport()->mapToGlobal(row.topLeft()), row.size()};
    }

    QString text(QAccessible::Text kind) const override {
        if (!isValid()) return {};
        const ChatTurn& turn = view_->model()->turn(row_);
        if (kind == QAccessible::Description) return view_->footerText(row_);
        if (kind != QAccessible::Name) return {};
        MessageLayout& layout = view_->layoutOf(row_);
        QString said = layout.text(layout.begin(), layout.end());
        if (turn.state == TurnState::failed) {
            said += QLatin1Char(' ') + TranscriptView::tr("Failed: %1").arg(turn.error);
        }
        return turn.author == TurnAuthor::user ? TranscriptView::tr("You: %1").arg(said)
                                               : TranscriptView::tr("Answer: %1").arg(said);
    }

    QAccessible::State state() const override {
        QAccessible::State state;
        state.focusable = true;
        state.selectable = true;
        state.readOnly = true;
        state.multiLine = true;
        state.focused = view_->hasFocus() && view_->currentRow() == row_;
        state.offscreen = !rect().intersects(
            {view_->viewport()->mapToGlobal(QPoint()), view_->viewport()->size()});
        return state;
    }

  private:
    TranscriptView* view_;
    int row_;
};

// The messages come first, then the buttons that are in sight.
class TranscriptAccessible : public QAccessibleWidget {
  public:
    explicit TranscriptAccessible(TranscriptView* view)
        : QAccessibleWidget(view, QAccessible::List), view_(view) {}
    ~TranscriptAccessible() override {
        for (const QAccessible::Id id : std::as_const(messages_)) {
            QAccessible::deleteAccessibleInterface(id);
        }
    }

    int childCount() const override { return rows() + QAccessibleWidget::childCount(); }

    QAccessibleInterface* child(int index) const override {
        if (index < 0) return nullptr;
        if (index >= rows()) return QAccessibleWidget::child(index - rows());
        auto id = messages_.find(index);
        if (id == messages_.end()) {
            auto* message = new MessageAccessible(view_, index);
            id = messages_.insert(index, QAccessible::registerAccessibleInterface(message));
        }
        return QAccessible::accessibleInterface(*id);
    }

    int indexOfChild(const QAccessibleInterface* child) const override {
        for (auto it = messages_.cbegin(); it != messages_.cend(); ++it) {
            if (QAccessible::accessibleInterface(it.value()) == child) return it.key();
        }
        const int inner = QAccessibleWidget::indexOfChild(child);
        return inner < 0 ? inner : inner + rows();
    }

    QAccessibleInterface* childAt(int x, int y) const override {
        const int row = view_->rowAt(view_->viewport()->mapFromGlobal(QPoint(x, y)).y());
        return row < 0 ? QAccessibleWidget::childAt(x, y) : child(row);
    }

    QAccessibleInterface* focusChild() const override {
        return view_->hasFocus() ? child(view_->currentRow()) : QAccessibleWidget::focusChild();
    }

  private:
    int rows() const { return view_->model()->turns(); }

    TranscriptView* view_;
    mutable QHash<int, QAccessible::Id> messages_;
};

QAccessibleInterface* makeInterface(const QString&, QObject* object) {
    auto* view = qobject_cast<TranscriptView*>(object);
    return view ? new TranscriptAccessible(view) : nullptr;
}

}  // namespace

void makeTranscriptAccessible() {
    QAccessible::installFactory(makeInterface);  // the same one again changes nothing
}

void tellFocusedRow(TranscriptView* view, int row) {
    QAccessibleEvent event(view, QAccessible::Focus);
    event.setChild(row);
    QAccessible::updateAccessibility(&event);
}

}  // namespace lockstep
