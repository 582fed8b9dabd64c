// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/check/check_store.h"

#include <QCoreApplication>
#include <QCryptographicHash>
#include <QDateTime>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>

namespace lockstep {
namespace {

constexpr qsizetype checks_kept = 100;

QString checksKey() {
    return QStringLiteral("checks/results");
}

QString overruledKey() {
    return QStringLiteral("checks/overruled");
}

QString digest(const QStringList& parts) {
    const QByteArray text = parts.join(QChar(0)).toUtf8();
    return QString::fromLatin1(
        QCryptographicHash::hash(text, QCryptographicHash::Sha256).toHex().left(32));
}

QString stampOf(const QFileInfo& file) {
    return QString::number(file.size()) + QLatin1Char('@') +
           QString::number(file.lastModified().toMSecsSinceEpoch());
}

// Who writes kernels builds this program again and again under the same version.
QString programStamp() {
    static const QString stamp = QStringLiteral(LOCKSTEP_VERSION " ") +
                                 stampOf(QFileInfo(QCoreApplication::applicationFilePath()));
    return stamp;
}

// A path that is a file (a user's kernel) is another one once that file has changed.
QString pathStamp(const QString& path) {
    const QFileInfo file(path);
    return file.isFile() ? path + QLatin1Char(' ') + stampOf(file) : path;
}

QString decisionId(const LoadedModel& model, const QString& path) {
    return digest({model.path, model.file_stamp, model.dtype, path});
}

QString checkId(const LoadedModel& model, const QString& path) {
    return digest(
        {model.path, model.file_stamp, model.dtype, model.device, pathStamp(path), programStamp()});
}

QJsonArray read(const SettingsStore& store) {
    return QJsonDocument::fromJson(store.state(checksKey()).toString().toUtf8()).array();
}

}  // namespace

std::optional<CheckedPath> CheckStore::find(const LoadedModel& model, const QString& path) const {
    const QString id = checkId(model, path);
    for (const QJsonValue entry : read(*store_)) {
        if (entry[QLatin1String("id")].toString() != id) continue;
        CheckedPath checked = checkedPathFromJson(entry.toObject());
        if (checked.path == path && checked.state != CheckedPath::State::unknown) return checked;
    }
    return std::nullopt;
}

void CheckStore::keep(const LoadedModel& model, const CheckedPath& checked) {
    QJsonObject entry = toJson(checked);
    const QString id = checkId(model, checked.path);
    entry.insert(QStringLiteral("id"), id);
    QJsonArray kept{entry};
    for (const QJsonValue other : read(*store_)) {
        if (kept.size() < checks_kept && other[QLatin1String("id")].toString() != id)
            kept.append(other);
    }
    const QByteArray text = QJsonDocument(kept).toJson(QJsonDocument::Compact);
    store_->setState(checksKey(), QString::fromUtf8(text));
}

bool CheckStore::isOverruled(const LoadedModel& model, const QString& path) const {
    return store_->state(overruledKey()).toStringList().contains(decisionId(model, path));
}

void CheckStore::setOverruled(const LoadedModel& model, const QString& path, bool overruled) {
    QStringList ids = store_->state(overruledKey()).toStringList();
    const QString id = decisionId(model, path);
    ids.removeAll(id);
    if (overruled) ids.prepend(id);
    while (ids.size() > checks_kept) ids.removeLast();
    store_->setState(overruledKey(), ids);
}

}  // namespace lockstep
