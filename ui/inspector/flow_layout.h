// SPDX-License-Identifier: GPL-3.0-or-later
// Widgets in a row that goes on in the next one where a narrow dock has no room.
#pragma once

#include <QLayout>
#include <QList>

namespace lockstep {

class FlowLayout : public QLayout {
    Q_OBJECT
  public:
    explicit FlowLayout(QWidget* parent = nullptr);
    ~FlowLayout() override;

    // What follows stands at the right edge of its row.
    void addStretch();

    void addItem(QLayoutItem* item) override { items_ << item; }
    int count() const override { return int(items_.size()); }
    QLayoutItem* itemAt(int index) const override { return items_.value(index); }
    QLayoutItem* takeAt(int index) override;
    Qt::Orientations expandingDirections() const override { return {}; }
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return arrange({0, 0, width, 0}, false); }
    QSize minimumSize() const override;
    QSize sizeHint() const override;
    void setGeometry(const QRect& rect) override;

  private:
    int arrange(const QRect& rect, bool place) const;
    void placeRow(const QList<QLayoutItem*>& row, const QRect& rect, int y, int height) const;

    QList<QLayoutItem*> items_;
    int height_ = 0;  // at the width that it has
};

}  // namespace lockstep
