// SPDX-License-Identifier: GPL-3.0-or-later
// Which models there are to choose from: those in the models folder, those opened lately, and those
// of the catalogue that can be downloaded.
#pragma once

#include <QString>
#include <QStringList>
#include <QVector>

#include "core/catalogue/catalogue.h"

namespace lockstep {

struct AvailableModel {
    QString title;
    QString path;
    qint64 size = 0;  // bytes; 0 for a folder
};

struct DownloadableModel {
    QString name;  // the catalogue's
    QString title, description, licence;
    QString path;  // where it will be
    qint64 size = 0;
};

class ModelLibrary {
  public:
    explicit ModelLibrary(const QString& catalogue_file);

    void setFolder(const QString& folder) { folder_ = folder; }
    const QString& folder() const { return folder_; }

    // GGUF files and folders with a config.json in the models folder, by title.
    QVector<AvailableModel> installed() const;
    // Of `paths`, those that still exist and are not in the models folder.
    QVector<AvailableModel> elsewhere(const QStringList& paths) const;
    // Of the catalogue, those that are not in the models folder.
    QVector<DownloadableModel> downloadable() const;
    // For people: the catalogue's, or the file's or folder's name.
    QString titleOf(const QString& path) const;
    // What the catalogue calls the model in this file; empty where it does not know it.
    QString catalogueTitle(const QString& path) const;
    const DownloadableModel* defaultModel() const;  // the catalogue's first; null if it has none
    QString catalogueProblem() const { return problem_; }

  private:
    QString folder_;
    QString problem_;
    QVector<DownloadableModel> catalogue_;  // paths: file names
};

QString sizeText(qint64 bytes);  // "98 MB", "1.2 GB"

}  // namespace lockstep
