// SPDX-License-Identifier: GPL-3.0-or-later
#include <QCheckBox>

#include "kernels/step_catalog.h"
#include "ui/settings/pages.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

// What a step computes, in the catalogue's order.
QString explanation(StepId step) {
    switch (step) {
        case StepId::embed:
            return KernelsPage::tr("Looks up each token's row of the embedding.");
        case StepId::qkv:
            return KernelsPage::tr("Norm, query/key/value projections, rotary position, cache.");
        case StepId::attention:
            return KernelsPage::tr("Softmax of the queries against the cache.");
        case StepId::attn_output:
            return KernelsPage::tr("Output projection and residual.");
        case StepId::gate_up:
            return KernelsPage::tr("Norm, gate and up projections, SiLU.");
        case StepId::down:
            return KernelsPage::tr("Down projection and residual.");
        case StepId::logits:
            return KernelsPage::tr("Final norm and the head.");
    }
    return {};
}

QString title(StepId step) {
    const std::string_view name = step_name(step);
    return QString::fromUtf8(name.data(), qsizetype(name.size()));
}

}  // namespace

KernelsPage::KernelsPage(SettingsStore* store) : SettingsPage(store) {
    addHeading(tr("Kernels"));
    addText(tr("Changes take effect from the next token on, also in the middle of an answer."));
    in_use_ = new QLabel;
    in_use_->setTextFormat(Qt::PlainText);
    in_use_->setWordWrap(true);
    addSwitch(tr("&Fused kernels"), tr("Off: every step is computed by the unfused reference."),
              &Settings::fused);
    addSpace();
    for (int i = 0; i < step_count; ++i) {
        const auto step = static_cast<StepId>(i);
        auto* control = new QCheckBox;
        control->setProperty("switch", true);
        control->setObjectName(QStringLiteral("fused_") + lockstep::title(step));
        addRow(lockstep::title(step), explanation(step), control);
        control->setAccessibleName(tr("%1 fused").arg(lockstep::title(step)));
        connect(control, &QCheckBox::toggled, this,
                [this, i](bool on) { edit([&](Settings& s) { s.fused_steps[size_t(i)] = on; }); });
        steps_[size_t(i)] = control;
    }
    addSpace();
    own_ = addSwitch(tr("A kernel of &your own"),
                     tr("In place of ours, once it is loaded (File, Load a kernel) and has passed "
                        "its check with the model in use."),
                     &Settings::use_user_kernel);
    own_->setObjectName(QStringLiteral("use_user_kernel"));
    own_state_ = mutedLabel({});
    own_state_->setObjectName(QStringLiteral("user_kernel_state"));
    rows()->addWidget(own_state_);
    addSpace();
    truth_ = addSwitch(tr("Compute in &truth instead"),
                       tr("Every step unfused and in 32-bit floats: slow, and the ruler that the "
                          "other two are measured against."),
                       &Settings::truth);
    rows()->addWidget(in_use_);
    connect(store, &SettingsStore::pathStateChanged, this, &KernelsPage::showPathState);
    rows()->addStretch();
}

void KernelsPage::showPathState() {
    const PathState& state = store()->pathState();
    const Settings& values = store()->values();
    const QString own = values.user_kernel.section(QLatin1Char('/'), -1);
    QString chosen = QString::fromStdString(pathChoice(values).name());
    if (!own.isEmpty()) chosen.replace(values.user_kernel, own);
    in_use_->setText(state.in_use.isEmpty() || state.in_use == chosen
                         ? tr("In use: %1").arg(chosen)
                         : tr("In use: %1, in place of %2").arg(state.in_use, chosen));
    own_state_->setText(state.user_kernel.isEmpty() ? tr("None is loaded.") : state.user_kernel);
    own_->setEnabled(state.user_kernel_passed || values.use_user_kernel);
}

void KernelsPage::showValues(const Settings& values) {
    for (size_t i = 0; i < steps_.size(); ++i) {
        steps_[i]->setChecked(values.fused_steps[i]);
        steps_[i]->setEnabled(values.fused && !values.truth);
    }
    showPathState();
}

}  // namespace lockstep
