// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/model_picker.h"

#include <QDir>
#include <QMenu>
#include <algorithm>

#include "ui/models/model_library.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

// In a menu an ampersand would become a shortcut.
QString escaped(QString text) {
    return text.replace(QLatin1Char('&'), QLatin1String("&&"));
}

}  // namespace

ModelPicker::ModelPicker(const ModelLibrary* library, QList<QAction*> actions, QWidget* parent)
    : QToolButton(parent), library_(library), actions_(std::move(actions)) {
    setIcon(themedIcon(QStringLiteral("model")));
    setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    setPopupMode(QToolButton::InstantPopup);
    setFocusPolicy(Qt::StrongFocus);
    setToolTip(tr("Choose a model (Ctrl+M)"));
    setMenu(new QMenu(this));
    menu()->setToolTipsVisible(true);
    connect(menu(), &QMenu::aboutToShow, this, &ModelPicker::fillMenu);
    setCurrent({}, {});
}

void ModelPicker::setCurrent(const QString& name, const QString& path) {
    current_path_ = path;
    const QString shown = name.isEmpty() ? tr("Choose a model") : name;
    setText(escaped(fontMetrics().elidedText(shown, Qt::ElideRight, fontMetrics().height() * 20)));
    setAccessibleName(name.isEmpty() ? tr("Model: none") : tr("Model: %1").arg(name));
}

QSize ModelPicker::sizeHint() const {
    const int chevron = fontMetrics().height() * 5 / 4;
    return QToolButton::sizeHint() + QSize(chevron, 0);
}

void ModelPicker::fillMenu() {
    menu()->clear();
    const auto installed = library_->installed();
    if (!installed.isEmpty()) menu()->addSection(tr("In the models folder"));
    for (const AvailableModel& model : installed) addModel(model.title, model.path, model.size);
    const auto elsewhere = library_->elsewhere(recent_);
    if (!elsewhere.isEmpty()) menu()->addSection(tr("Opened lately"));
    for (const AvailableModel& model : elsewhere) addModel(model.title, model.path, model.size);
    auto downloadable = library_->downloadable();
    const auto here = [&elsewhere](const DownloadableModel& model) {
        return std::any_of(elsewhere.begin(), elsewhere.end(),
                           [&](const AvailableModel& other) { return other.title == model.title; });
    };
    downloadable.erase(std::remove_if(downloadable.begin(), downloadable.end(), here),
                       downloadable.end());
    if (!downloadable.isEmpty()) menu()->addSection(tr("To download"));
    for (const DownloadableModel& model : downloadable) {
        QAction* action = menu()->addAction(
            themedIcon(QStringLiteral("download")),
            escaped(tr("%1 (%2, %3)").arg(model.title, sizeText(model.size), model.licence)));
        action->setToolTip(model.description);
        connect(action, &QAction::triggered, this,
                [this, name = model.name] { Q_EMIT downloadChosen(name); });
    }
    menu()->addSeparator();
    menu()->addActions(actions_);
}

void ModelPicker::addModel(const QString& title, const QString& path, qint64 size) {
    const QString text = size > 0 ? tr("%1 (%2)").arg(title, sizeText(size)) : title;
    QAction* action = menu()->addAction(escaped(text));
    action->setToolTip(QDir::toNativeSeparators(path));
    action->setCheckable(true);
    action->setChecked(path == current_path_);
    connect(action, &QAction::triggered, this, [this, path] { Q_EMIT chosen(path); });
}

}  // namespace lockstep
