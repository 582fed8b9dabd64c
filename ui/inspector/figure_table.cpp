// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/figure_table.h"

#include <QHeaderView>
#include <QStyledItemDelegate>
#include <QTableView>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

class FigureDelegate : public QStyledItemDelegate {
  public:
    FigureDelegate(int verdict_column, QObject* parent)
        : QStyledItemDelegate(parent), verdict_column_(verdict_column) {}

  protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        if (index.column() != verdict_column_ || !index.data(Qt::UserRole).toBool()) return;
        option->palette.setColor(QPalette::Text, themeColors(option->palette).error);
        option->font.setWeight(QFont::DemiBold);
    }

  private:
    int verdict_column_;
};

}  // namespace

QTableView* makeFigureTable(const QString& accessible_name, int verdict_column) {
    auto* view = new QTableView;
    view->setAccessibleName(accessible_name);
    view->setItemDelegate(new FigureDelegate(verdict_column, view));
    view->setSelectionBehavior(QAbstractItemView::SelectRows);
    view->setSelectionMode(QAbstractItemView::SingleSelection);
    view->setEditTriggers(QAbstractItemView::NoEditTriggers);
    view->setTabKeyNavigation(false);
    view->setShowGrid(false);
    view->setAlternatingRowColors(true);
    view->setWordWrap(false);
    view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    view->verticalHeader()->hide();
    view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    const int line = view->fontMetrics().height();
    view->verticalHeader()->setDefaultSectionSize(line * 4 / 3);
    view->verticalHeader()->setMinimumSectionSize(line);
    view->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    view->horizontalHeader()->setMinimumSectionSize(line * 2);
    view->horizontalHeader()->setHighlightSections(false);
    view->horizontalHeader()->setStretchLastSection(true);
    return view;
}

}  // namespace lockstep
