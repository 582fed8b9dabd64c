// SPDX-License-Identifier: GPL-3.0-or-later
#include <QPlainTextEdit>
#include <QSpinBox>
#include <limits>

#include "ui/settings/pages.h"

namespace lockstep {

SamplingPage::SamplingPage(SettingsStore* store) : SettingsPage(store) {
    addHeading(tr("Sampling"));
    addText(tr("How the next token is chosen. Used from the next answer on."));
    addSwitch(tr("&Model's own values first"),
              tr("Where a model comes with recommended values, they replace those below."),
              &Settings::model_defaults);
    addNumber(tr("&Temperature"), tr("0 always takes the most likely token."),
              &Settings::temperature, 0, 5, 0.1);
    addInteger(tr("Top-&k"), tr("Only the k most likely tokens."), &Settings::top_k, 1000,
               tr("off"));
    addNumber(tr("Top-&p"), tr("Only the most likely tokens that together reach p. 1 is off."),
              &Settings::top_p, 0, 1, 0.05);
    addNumber(tr("M&in-p"), tr("Only tokens at least this fraction as likely as the best."),
              &Settings::min_p, 0, 1, 0.01);
    addNumber(tr("T&ypical"), tr("Only tokens about as surprising as expected. 1 is off."),
              &Settings::typical_p, 0, 1, 0.05);
    addNumber(tr("&Repetition penalty"), tr("Divides what was said before. 1 is off."),
              &Settings::repetition_penalty, 0.5, 3, 0.05);
    addNumber(tr("Pre&sence penalty"), tr("Subtracted once from a token that was said."),
              &Settings::presence_penalty, -2, 2, 0.1);
    addNumber(tr("Fre&quency penalty"), tr("Subtracted for each time that it was said."),
              &Settings::frequency_penalty, -2, 2, 0.1);
    addInteger(tr("Penalty &window"), tr("How many last tokens the penalties look at."),
               &Settings::penalty_window, 4096, tr("all"));
    seed_ = new QSpinBox;
    seed_->setRange(-1, std::numeric_limits<int>::max());
    seed_->setSpecialValueText(tr("random"));
    addRow(tr("S&eed"), tr("The same seed gives the same answer again."), seed_);
    connect(seed_, &QSpinBox::valueChanged, this,
            [this](int value) { edit([&](Settings& s) { s.seed = value; }); });
    addInteger(tr("&Longest answer"), tr("In tokens."), &Settings::max_tokens, 1000000,
               tr("no limit"));
    stop_strings_ = new QPlainTextEdit;
    stop_strings_->setTabChangesFocus(true);
    stop_strings_->setFixedHeight(fontMetrics().lineSpacing() * 4);
    addRow(tr("Stop st&rings"), tr("An answer ends before any of these; one a line."),
           stop_strings_, true);
    connect(stop_strings_, &QPlainTextEdit::textChanged, this, [this] {
        edit([&](Settings& s) {
            s.stop_strings =
                stop_strings_->toPlainText().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
        });
    });
    rows()->addStretch();
}

void SamplingPage::showValues(const Settings& values) {
    seed_->setValue(int(values.seed));
    const QString typed = stop_strings_->toPlainText();
    // Not while it is typed in: an empty last line would vanish under the cursor.
    if (typed.split(QLatin1Char('\n'), Qt::SkipEmptyParts) != values.stop_strings)
        stop_strings_->setPlainText(values.stop_strings.join(QLatin1Char('\n')));
}

}  // namespace lockstep
