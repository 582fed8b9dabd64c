// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/model_download.h"

#include <QJsonDocument>
#include <QJsonObject>

namespace lockstep {
namespace {

constexpr int stop_ms = 5000;

}  // namespace

ModelDownload::ModelDownload(DownloadTool tool, QObject* parent)
    : QObject(parent), tool_(std::move(tool)) {
    connect(&process_, &QProcess::readyReadStandardOutput, this, &ModelDownload::readLines);
    connect(&process_, &QProcess::finished, this, &ModelDownload::ended);
    connect(&process_, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart)
            Q_EMIT failed(tr("python3 could not be started: %1").arg(process_.errorString()));
    });
}

ModelDownload::~ModelDownload() {
    process_.disconnect(this);
    if (!isRunning()) return;
    process_.terminate();  // it tidies up after itself
    if (!process_.waitForFinished(stop_ms)) process_.kill();
}

void ModelDownload::start(const QString& name, const QString& folder) {
    path_.clear();
    error_.clear();
    cancelling_ = false;
    process_.start(
        QStringLiteral("python3"),
        {tool_.program, name, QStringLiteral("--catalogue"), tool_.catalogue,
         QStringLiteral("--dir"), folder, QStringLiteral("--progress"), QStringLiteral("json")});
}

void ModelDownload::cancel() {
    if (!isRunning()) return;
    cancelling_ = true;
    process_.terminate();
}

void ModelDownload::readLines() {
    while (process_.canReadLine()) {
        const QJsonObject line = QJsonDocument::fromJson(process_.readLine()).object();
        const QString phase = line[QLatin1String("phase")].toString();
        if (phase == QLatin1String("done"))
            path_ = line[QLatin1String("path")].toString();
        else if (phase == QLatin1String("error"))
            error_ = line[QLatin1String("message")].toString();
        else
            Q_EMIT progressed(line[QLatin1String("done")].toInteger(),
                              line[QLatin1String("total")].toInteger());
    }
}

void ModelDownload::ended(int status, QProcess::ExitStatus how) {
    readLines();
    if (how == QProcess::NormalExit && status == 0 && !path_.isEmpty())
        return Q_EMIT finished(path_);
    if (cancelling_) return Q_EMIT cancelled();
    if (error_.isEmpty()) error_ = QString::fromUtf8(process_.readAllStandardError()).trimmed();
    Q_EMIT failed(error_.isEmpty() ? tr("The download ended without a reason") : error_);
}

}  // namespace lockstep
