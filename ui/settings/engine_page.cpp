// SPDX-License-Identifier: GPL-3.0-or-later
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QThread>

#include "core/catalogue/catalogue.h"
#include "ui/settings/pages.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

// "no usable GPU: it is too old" among other sentences.
QString asSentence(const QString& message) {
    if (message.isEmpty()) return {};
    const QString end = message.endsWith(QLatin1Char('.')) ? QString() : QStringLiteral(".");
    return message.left(1).toUpper() + message.mid(1) + end;
}

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
    device_ = new QComboBox;
    device_->setObjectName(QStringLiteral("device"));
    addRow(tr("&Device"), tr("What computes. The model is loaded again, the conversation stays."),
           device_);
    connect(device_, &QComboBox::activated, this, [this] {
        edit([&](Settings& s) { s.engine.device = device_->currentData().toString(); });
    });
    device_problem_ = mutedLabel({});
    rows()->addWidget(device_problem_);
    connect(store, &SettingsStore::deviceStateChanged, this, &EnginePage::showDevices);
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

// A GPU that was chosen and is not here now stays in the list: it is still the choice.
void EnginePage::showDevices() {
    const DeviceState& state = store()->deviceState();
    const QString chosen = store()->values().engine.device;
    device_->clear();
    device_->addItem(tr("Automatic"), QStringLiteral("auto"));
    device_->addItem(tr("CPU"), QStringLiteral("cpu"));
    for (const FoundDevices::Gpu& gpu : state.gpus)
        device_->addItem(state.gpus.size() > 1 ? tr("%1 (%2)").arg(gpu.name, gpu.id) : gpu.name,
                         gpu.id);
    if (device_->findData(chosen) < 0) device_->addItem(tr("%1 (not here)").arg(chosen), chosen);
    device_->setCurrentIndex(device_->findData(chosen));
    device_problem_->setText(asSentence(state.problem));
    device_problem_->setVisible(!state.problem.isEmpty());
}

void EnginePage::showValues(const Settings& values) {
    showDevices();
    dtype_->setCurrentIndex(dtype_->findData(int(values.engine.dtype)));
    context_->setValue(int(values.engine.context));
    threads_->setValue(values.engine.threads);
    folder_->setText(values.models_folder);
}

}  // namespace lockstep
