// SPDX-License-Identifier: GPL-3.0-or-later
// The conversations as an item model: the latest first, those that a search finds. Renaming and
// removing show at once; the rest once the keeper has answered.
#pragma once

#include <QAbstractListModel>

#include "ui/history/conversation_keeper.h"

namespace lockstep {

class ConversationModel : public QAbstractListModel {
    Q_OBJECT
  public:
    // The keeper outlives the model.
    explicit ConversationModel(ConversationKeeper* keeper, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;  // renames
    Qt::ItemFlags flags(const QModelIndex& index) const override;

    qint64 idAt(const QModelIndex& index) const;
    QModelIndex indexOf(qint64 id) const;
    void setSearch(const QString& words);
    void refresh();
    bool remove(const QModelIndex& index);

  Q_SIGNALS:
    void refreshed();

  private:
    void take(int request, const QVector<ConversationInfo>& found);
    void show(const QVector<ConversationInfo>& found);
    void removeOthers(const QVector<ConversationInfo>& kept);
    void showAt(int row, const ConversationInfo& info);

    ConversationKeeper* keeper_;
    QString words_;
    int awaited_ = 0;           // of the keeper's lists; earlier ones are out of date
    bool other_words_ = false;  // than those that what is shown was found by
    QVector<ConversationInfo> shown_;
};

}  // namespace lockstep
