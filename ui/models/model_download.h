// SPDX-License-Identifier: GPL-3.0-or-later
// One download of a catalogue model, by tools/fetch_model in a process of its own.
#pragma once

#include <QObject>
#include <QProcess>
#include <QString>

namespace lockstep {

struct DownloadTool {
    QString program = {};    // fetch_model's path
    QString catalogue = {};  // models.json's
};

class ModelDownload : public QObject {
    Q_OBJECT
  public:
    explicit ModelDownload(DownloadTool tool, QObject* parent = nullptr);
    ~ModelDownload() override;  // stops a running one

    void start(const QString& name, const QString& folder);
    void cancel();
    bool isRunning() const { return process_.state() != QProcess::NotRunning; }

  Q_SIGNALS:
    void progressed(qint64 done, qint64 total);  // bytes; of the download, then of unpacking it
    // Each start() ends in one of these.
    void finished(const QString& path);
    void failed(const QString& message);
    void cancelled();

  private:
    void readLines();
    void ended(int status, QProcess::ExitStatus how);

    DownloadTool tool_;
    QProcess process_;
    QString path_, error_;
    bool cancelling_ = false;
};

}  // namespace lockstep
