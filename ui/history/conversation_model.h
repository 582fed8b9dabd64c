// SPDX-License-Identifier: GPL-3.0-or-later
// The conversations as an item model: the latest first, those that a search finds.
#pragma once

#include <QAbstractListModel>

#include "ui/history/conversation_store.h"

namespace lockstep {

class ConversationModel : public QAbstractListModel {
    Q_OBJECT
  public:
    // The store outlives the model.
    explicit ConversationModel(ConversationStore* store, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;  // renames
    Qt::ItemFlags flags(const QModelIndex& index) const override;

    qint64 idAt(const QModelIndex& index) const;
    QModelIndex indexOf(qint64 id) const;
    void setSearch(const QString& words);
    void refresh();
    bool remove(const QModelIndex& index);

  private:
    ConversationStore* store_;
    QString words_;
    QVector<ConversationInfo> shown_;
};

}  // namespace lockstep
