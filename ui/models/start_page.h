// SPDX-License-Identifier: GPL-3.0-or-later
// What a first start shows: how to get a model, or to open one's own.
#pragma once

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace lockstep {

struct DownloadableModel;

class StartPage : public QWidget {
    Q_OBJECT
  public:
    // model: what is offered for download; null where there is no catalogue.
    explicit StartPage(const DownloadableModel* model, QWidget* parent = nullptr);
    void setInstalledPath(const QString& path);  // empty: it is to be downloaded

    void showDownload(qint64 done, qint64 total);
    void showDownloadEnded();

  Q_SIGNALS:
    void downloadWanted(const QString& name);
    void openWanted(const QString& path);
    void cancelWanted();
    void openFileWanted();
    void openFolderWanted();

  private:
    QWidget* makeCard(const DownloadableModel& model);

    QString name_, size_text_, installed_;
    QPushButton* get_ = nullptr;
    QPushButton* cancel_ = nullptr;
    QProgressBar* bar_ = nullptr;
    QLabel* state_ = nullptr;
};

}  // namespace lockstep
