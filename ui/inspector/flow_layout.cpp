// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/flow_layout.h"

#include <QWidget>
#include <utility>

namespace lockstep {

FlowLayout::FlowLayout(QWidget* parent) : QLayout(parent) {}

FlowLayout::~FlowLayout() {
    while (QLayoutItem* item = FlowLayout::takeAt(0)) delete item;
}

QLayoutItem* FlowLayout::takeAt(int index) {
    return index >= 0 && index < items_.size() ? items_.takeAt(index) : nullptr;
}

void FlowLayout::addStretch() {
    addItem(new QSpacerItem(0, 0, QSizePolicy::Expanding, QSizePolicy::Minimum));
}

QSize FlowLayout::minimumSize() const {
    QSize size;
    for (const QLayoutItem* item : items_) size = size.expandedTo(item->minimumSize());
    const QMargins margins = contentsMargins();
    size += QSize(margins.left() + margins.right(), margins.top() + margins.bottom());
    return size.expandedTo({0, height_});
}

QSize FlowLayout::sizeHint() const {
    int width = 0;
    for (const QLayoutItem* item : items_)
        if (!item->isEmpty()) width += item->sizeHint().width() + spacing();
    return {width, minimumSize().height()};
}

void FlowLayout::setGeometry(const QRect& rect) {
    QLayout::setGeometry(rect);
    const int height = arrange(rect, true);
    if (height == std::exchange(height_, height)) return;
    // Not every layout around asks for a height for the width (a splitter does not).
    if (parentWidget()) parentWidget()->updateGeometry();
}

void FlowLayout::placeRow(const QList<QLayoutItem*>& row, const QRect& rect, int y,
                          int height) const {
    int used = 0;
    for (QLayoutItem* item : row)
        if (!item->spacerItem()) used += item->sizeHint().width() + spacing();
    int x = rect.left();
    for (QLayoutItem* item : row) {
        if (item->spacerItem()) {
            x += std::max(0, rect.width() - used + spacing());
            used = rect.width() + spacing();
            continue;
        }
        const QSize size = item->sizeHint();
        const int width = std::min(size.width(), rect.width());
        item->setGeometry({x, y + (height - size.height()) / 2, width, size.height()});
        x += width + spacing();
    }
}

int FlowLayout::arrange(const QRect& outer, bool place) const {
    const QMargins margins = contentsMargins();
    const QRect rect = outer.marginsRemoved(margins);
    QList<QLayoutItem*> row;
    int y = rect.top(), width = 0, height = 0;
    const auto end_row = [&] {
        if (place) placeRow(row, rect, y, height);
        y += height;
        row.clear();
        width = height = 0;
    };
    for (QLayoutItem* item : items_) {
        if (item->isEmpty() && !item->spacerItem()) continue;
        const QSize size = item->spacerItem() ? QSize() : item->sizeHint();
        if (width > 0 && width + size.width() > rect.width()) {
            // What a stretch holds apart stays at the right border of the next row.
            QLayoutItem* const stretch = row.last()->spacerItem() ? row.takeLast() : nullptr;
            end_row();
            y += spacing();
            if (stretch) row << stretch;
        }
        row << item;
        if (item->spacerItem()) continue;
        width += size.width() + spacing();
        height = std::max(height, size.height());
    }
    end_row();
    return y - outer.top() + margins.bottom();
}

}  // namespace lockstep
