// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/history/conversation_model.h"

#include <QLocale>
#include <QSet>

namespace lockstep {

ConversationModel::ConversationModel(ConversationKeeper* keeper, QObject* parent)
    : QAbstractListModel(parent), keeper_(keeper) {
    connect(keeper, &ConversationKeeper::listed, this, &ConversationModel::take);
    refresh();
}

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
    keeper_->rename(idAt(index), title);
    shown_[index.row()].title = title;
    Q_EMIT dataChanged(index, index);
    refresh();
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
    other_words_ = true;
    refresh();
}

void ConversationModel::refresh() {
    awaited_ = keeper_->list(words_);
}

void ConversationModel::take(int request, const QVector<ConversationInfo>& found) {
    if (request != awaited_) return;
    if (other_words_) {
        beginResetModel();
        shown_ = found;
        endResetModel();
    } else {
        show(found);
    }
    other_words_ = false;
    Q_EMIT refreshed();
}

// Row by row: who is renaming one, or has selected one, keeps it while an answer is being saved.
void ConversationModel::show(const QVector<ConversationInfo>& found) {
    removeOthers(found);
    for (int row = 0; row < found.size(); ++row) showAt(row, found[row]);
}

void ConversationModel::removeOthers(const QVector<ConversationInfo>& kept) {
    QSet<qint64> ids;
    for (const ConversationInfo& info : kept) ids.insert(info.id);
    for (int row = int(shown_.size()) - 1; row >= 0; --row) {
        if (ids.contains(shown_[row].id)) continue;
        beginRemoveRows({}, row, row);
        shown_.removeAt(row);
        endRemoveRows();
    }
}

// The rows before it are right already.
void ConversationModel::showAt(int row, const ConversationInfo& info) {
    const int now = indexOf(info.id).row();
    if (now < 0) {
        beginInsertRows({}, row, row);
        shown_.insert(row, info);
        endInsertRows();
    } else if (now != row) {
        beginMoveRows({}, now, now, {}, row);
        shown_.move(now, row);
        endMoveRows();
    }
    if (shown_[row] == info) return;
    shown_[row] = info;
    Q_EMIT dataChanged(index(row), index(row));
}

bool ConversationModel::remove(const QModelIndex& index) {
    const qint64 id = idAt(index);
    if (!id) return false;
    keeper_->remove(id);
    beginRemoveRows({}, index.row(), index.row());
    shown_.removeAt(index.row());
    endRemoveRows();
    refresh();
    return true;
}

}  // namespace lockstep
