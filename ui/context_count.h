// SPDX-License-Identifier: GPL-3.0-or-later
// How many tokens a conversation is that the engine has not been told of yet: one that was opened
// again, or that another model goes on with. Counted beside the window and the engine.
#pragma once

#include <QObject>
#include <QVector>
#include <memory>

#include "core/model/model.h"
#include "ui/background_thread.h"
#include "ui/chat/chat_types.h"

namespace lockstep {

class ContextCount : public QObject {
    Q_OBJECT
  public:
    using QObject::QObject;
    ~ContextCount() override;

    // counted() tells, if the model's template takes the conversation and nothing comes between.
    void count(std::weak_ptr<const Model> model, const QVector<ChatEntry>& conversation);
    void forget() { ++latest_; }

  Q_SIGNALS:
    void counted(qint64 tokens);

  private:
    int latest_ = 0;
    BackgroundThread thread_;
};

}  // namespace lockstep
