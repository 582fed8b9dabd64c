// SPDX-License-Identifier: GPL-3.0-or-later
// The tool bar's button that says which model is in use and offers others.
#pragma once

#include <QToolButton>

namespace lockstep {

class ModelLibrary;

class ModelPicker : public QToolButton {
    Q_OBJECT
  public:
    // The actions (open a file, open a folder) end the menu; library and actions outlive the
    // picker.
    ModelPicker(const ModelLibrary* library, QList<QAction*> actions, QWidget* parent = nullptr);

    void setCurrent(const QString& name, const QString& path);  // empty: none
    void setRecent(const QStringList& paths) { recent_ = paths; }
    QSize sizeHint() const override;

  Q_SIGNALS:
    void chosen(const QString& path);
    void downloadChosen(const QString& name);

  private:
    void fillMenu();
    void addModel(const QString& title, const QString& path, qint64 size);

    const ModelLibrary* library_;
    QList<QAction*> actions_;
    QString current_path_;
    QStringList recent_;
};

}  // namespace lockstep
