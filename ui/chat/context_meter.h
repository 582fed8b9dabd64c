// SPDX-License-Identifier: GPL-3.0-or-later
// How much of the model's context the conversation fills.
#pragma once

#include <QWidget>

namespace lockstep {

class ContextMeter : public QWidget {
    Q_OBJECT
  public:
    explicit ContextMeter(QWidget* parent = nullptr);

    void setUse(qint64 used, qint64 total);  // total 0: hidden
    QString text() const;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    double share() const;

    qint64 used_ = 0;
    qint64 total_ = 0;
};

}  // namespace lockstep
