// SPDX-License-Identifier: GPL-3.0-or-later
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QThread>

#include "core/catalogue/catalogue.h"
#include "ui/settings/pages.h"

namespace lockstep {
namespace {

QSpinBox* countBox(int high, int step, const QString& zero_means) {
    auto* box = new QSpinBox;
    box->setRange(0, high);
    box->setSingleStep(step);
    box->setGroupSeparatorShown(true);
    box->setSpecialValueText(zero_means);
    // Each change opens the model's session anew: not at every key.
    box->setKeyboardTracking(false);
    return box;
}

}  // namespace

EnginePage::EnginePage(SettingsStore* store) : SettingsPage(store) {
    addHeading(tr("Model"));
    dtype_ = new QComboBox;
    dtype_->addItem(tr("bf16 (recommended)"), int(DType::bf16));
    dtype_->addItem(tr("fp16"), int(DType::f16));
    dtype_->addItem(tr("fp32 (twice the memory)"), int(DType::f32));
    addRow(tr("&Number format"), tr("What weights are expanded to. The model is loaded again."),
           dtype_);
    connect(dtype_, &QComboBox::currentIndexChanged, this, [this] {
        edit([&](Settings& s) {
            s.engine.dtype = static_cast<DType>(dtype_->currentData().toInt());
        });
    });
    context_ = countBox(10000000, 1024, tr("automatic"));
    addRow(tr("&Context"), tr("Tokens that a conversation may hold; memory grows with it."),
           context_);
    connect(context_, &QSpinBox::valueChanged, this,
            [this](int value) { edit([&](Settings& s) { s.engine.context = value; }); });
    threads_ = countBox(1024, 1, tr("all cores (%1)").arg(QThread::idealThreadCount()));
    addRow(tr("&Threads"), tr("Of the kernels."), threads_);
    connect(threads_, &QSpinBox::valueChanged, this,
            [this](int value) { edit([&](Settings& s) { s.engine.threads = value; }); });
    addSpace();
    auto* place = new QWidget;
    auto* line = new QHBoxLayout(place);
    line->setContentsMargins(0, 0, 0, 0);
    folder_ = new QLineEdit;
    folder_->setPlaceholderText(
        QDir::toNativeSeparators(QString::fromStdString(default_models_folder().string())));
    auto* choose = new QPushButton(tr("Ch&oose…"));
    choose->setAccessibleName(tr("Choose the models folder"));
    choose->setAutoDefault(false);
    line->addWidget(folder_, 1);
    line->addWidget(choose);
    addRow(tr("Models &folder"), tr("Where models are looked for and downloaded to."), place, true);
    folder_->setAccessibleName(tr("Models folder"));
    place->setFocusProxy(folder_);
    connect(folder_, &QLineEdit::editingFinished, this,
            [this] { edit([&](Settings& s) { s.models_folder = folder_->text().trimmed(); }); });
    connect(choose, &QPushButton::clicked, this, &EnginePage::chooseFolder);
    rows()->addStretch();
}

void EnginePage::chooseFolder() {
    const QString start = folder_->text().isEmpty() ? folder_->placeholderText() : folder_->text();
    const QString chosen = QFileDialog::getExistingDirectory(this, tr("Models folder"), start);
    if (!chosen.isEmpty()) edit([&](Settings& s) { s.models_folder = chosen; });
}

void EnginePage::showValues(const Settings& values) {
    dtype_->setCurrentIndex(dtype_->findData(int(values.engine.dtype)));
    context_->setValue(int(values.engine.context));
    threads_->setValue(values.engine.threads);
    folder_->setText(values.models_folder);
}

}  // namespace lockstep
