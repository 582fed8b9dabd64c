// SPDX-License-Identifier: GPL-3.0-or-later
// What went wrong (or right at last), above the page and not in its way: a line, what to do, and
// details on demand.
#pragma once

#include <QFrame>
#include <array>
#include <functional>

class QLabel;
class QPushButton;
class QToolButton;

namespace lockstep {

struct NoticeAction {
    QString text = {};
    std::function<void()> run = {};
};

class NoticeBar : public QFrame {
    Q_OBJECT
  public:
    enum class Kind { error, warning, success };

    explicit NoticeBar(QWidget* parent = nullptr);

    // summary: one line of plain text. details: hidden until asked for; may be empty. The first
    // action is what most will want.
    void showNotice(Kind kind, const QString& summary, const QString& details = {},
                    const NoticeAction& action = {}, const NoticeAction& other = {},
                    const NoticeAction& third = {});
    void dismiss();
    QString summary() const;  // empty while nothing is shown
    QString details() const;

  protected:
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    Kind kind_ = Kind::error;
    std::array<NoticeAction, 3> actions_;
    QLabel* icon_;
    QLabel* summary_;
    QLabel* details_;
    QPushButton* more_;
    std::array<QPushButton*, 3> buttons_;
    QToolButton* close_;
};

}  // namespace lockstep
