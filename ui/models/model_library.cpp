// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/model_library.h"

#include <QDir>
#include <QFileInfo>
#include <QLocale>
#include <algorithm>

namespace lockstep {
namespace {

bool isModel(const QFileInfo& info) {
    if (info.isDir()) return QFileInfo::exists(info.filePath() + QStringLiteral("/config.json"));
    return info.suffix().compare(QLatin1String("gguf"), Qt::CaseInsensitive) == 0;
}

}  // namespace

ModelLibrary::ModelLibrary(const QString& catalogue_file) {
    const auto models = read_catalogue(catalogue_file.toStdString());
    if (!models) {
        problem_ = QString::fromStdString(models.error().message);
        return;
    }
    for (const CatalogueModel& model : *models) {
        DownloadableModel entry;
        entry.name = QString::fromStdString(model.name);
        entry.title = QString::fromStdString(model.title);
        entry.description = QString::fromStdString(model.description);
        entry.licence = QString::fromStdString(model.licence);
        entry.path = QString::fromStdString(model.file);
        entry.size = model.size;
        catalogue_.append(entry);
    }
}

QString ModelLibrary::titleOf(const QString& path) const {
    const QFileInfo info(path);
    QString title = catalogueTitle(path);
    if (!title.isEmpty()) return title;
    return info.isDir() ? info.fileName() : info.completeBaseName();
}

QString ModelLibrary::catalogueTitle(const QString& path) const {
    const QString file = QFileInfo(path).fileName();
    for (const DownloadableModel& entry : catalogue_)
        if (entry.path == file) return entry.title;
    return {};
}

QVector<AvailableModel> ModelLibrary::installed() const {
    QVector<AvailableModel> models;
    const auto entries =
        QDir(folder_).entryInfoList(QDir::Files | QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name);
    for (const QFileInfo& info : entries)
        if (isModel(info))
            models.append(
                {titleOf(info.filePath()), info.filePath(), info.isDir() ? 0 : info.size()});
    std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) {
        return a.title.compare(b.title, Qt::CaseInsensitive) < 0;
    });
    return models;
}

QVector<AvailableModel> ModelLibrary::elsewhere(const QStringList& paths) const {
    QVector<AvailableModel> models;
    for (const QString& path : paths) {
        const QFileInfo info(path);
        if (!info.exists() || QDir(info.path()) == QDir(folder_)) continue;
        models.append({titleOf(path), path, info.isDir() ? 0 : info.size()});
    }
    return models;
}

QVector<DownloadableModel> ModelLibrary::downloadable() const {
    QVector<DownloadableModel> models;
    for (DownloadableModel entry : catalogue_) {
        entry.path = QDir(folder_).filePath(entry.path);
        if (!QFileInfo::exists(entry.path)) models.append(entry);
    }
    return models;
}

const DownloadableModel* ModelLibrary::defaultModel() const {
    return catalogue_.isEmpty() ? nullptr : &catalogue_.first();
}

QString sizeText(qint64 bytes) {
    const int decimals = bytes < 1000000000 ? 0 : 1;
    return QLocale().formattedDataSize(bytes, decimals, QLocale::DataSizeSIFormat);
}

}  // namespace lockstep
