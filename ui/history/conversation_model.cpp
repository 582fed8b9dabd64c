// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/history/conversation_model.h"

#include <QLocale>

namespace lockstep {

ConversationModel::ConversationModel(ConversationStore* store, QObject* parent)
    : QAbstractListModel(parent), store_(store), shown_(store->list()) {}

int ConversationModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(shown_.size());
}

QVariant ConversationModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const ConversationInfo& info = shown_[index.row()];
    if (role == Qt::DisplayRole || role == Qt::EditRole) return info.title;
    if (role == Qt::ToolTipRole)
        return QStringLiteral("%1\n%2").arg(info.title,
                                            QLocale().toString(info.changed, QLocale::ShortFormat));
    return {};
}

bool ConversationModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    const QString title = value.toString().trimmed();
    if (role != Qt::EditRole || title.isEmpty() || !idAt(index)) return false;
    if (!store_->rename(idAt(index), title)) return false;
    shown_[index.row()].title = title;
    Q_EMIT dataChanged(index, index);
    return true;
}

Qt::ItemFlags ConversationModel::flags(const QModelIndex& index) const {
    const Qt::ItemFlags usual = QAbstractListModel::flags(index);
    return index.isValid() ? usual | Qt::ItemIsEditable | Qt::ItemNeverHasChildren : usual;
}

qint64 ConversationModel::idAt(const QModelIndex& index) const {
    return index.isValid() && index.row() < shown_.size() ? shown_[index.row()].id : 0;
}

QModelIndex ConversationModel::indexOf(qint64 id) const {
    for (int row = 0; row < shown_.size(); ++row)
        if (shown_[row].id == id) return index(row);
    return {};
}

void ConversationModel::setSearch(const QString& words) {
    words_ = words;
    refresh();
}

void ConversationModel::refresh() {
    const QVector<ConversationInfo> found = store_->list(words_);
    if (found == shown_) return;
    beginResetModel();
    shown_ = found;
    endResetModel();
}

bool ConversationModel::remove(const QModelIndex& index) {
    const qint64 id = idAt(index);
    if (!id || !store_->remove(id)) return false;
    beginRemoveRows({}, index.row(), index.row());
    shown_.removeAt(index.row());
    endRemoveRows();
    return true;
}

}  // namespace lockstep
