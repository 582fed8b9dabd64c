// SPDX-License-Identifier: GPL-3.0-or-later
// A plain text field that grows with its text up to a number of lines: Enter submits, Shift+Enter
// breaks the line, Escape cancels. With a history, Up at the start brings back what was sent.
#pragma once

#include <QPlainTextEdit>
#include <QStringList>

namespace lockstep {

class GrowingTextEdit : public QPlainTextEdit {
    Q_OBJECT
  public:
    explicit GrowingTextEdit(QWidget* parent = nullptr);

    void setMaximumLines(int lines);
    void setMinimumLines(int lines);
    void setEnterSubmits(bool submits) { enter_submits_ = submits; }
    void setHistory(const QStringList& sent);  // oldest first
    void addToHistory(const QString& sent);
    const QStringList& history() const { return history_; }

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  Q_SIGNALS:
    void submitted();
    void cancelled();
    void heightChanged();

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    void insertFromMimeData(const QMimeData* source) override;

  private:
    void fit();
    int linesUpToLimit() const;
    int heightFor(int lines) const;
    bool walkHistory(int key);
    void showHistory(int index);

    int minimum_lines_ = 1;
    int maximum_lines_ = 8;
    bool fitting_ = false;
    bool enter_submits_ = true;
    QStringList history_;
    int history_index_ = -1;  // -1: the draft
    QString draft_;
};

}  // namespace lockstep
