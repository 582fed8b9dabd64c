// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/export_menu.h"

#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QMenu>

#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/inspector_export.h"
#include "ui/inspector/result_line.h"
#include "ui/theme/icons.h"

namespace lockstep {

ExportMenu::ExportMenu(DivergencePlot* plot, QWidget* parent) : QToolButton(parent), plot_(plot) {
    setIcon(themedIcon(QStringLiteral("export")));
    setToolTip(tr("Export this run"));
    setAccessibleName(tr("Export this run"));
    setPopupMode(QToolButton::InstantPopup);
    setFocusPolicy(Qt::StrongFocus);
    auto* menu = new QMenu(this);
    menu->addAction(tr("The plot as a &picture…"), this, [this] {
        ask(tr("Save the plot"),
            tr("PNG (*.png)") + QStringLiteral(";;") + tr("SVG (*.svg)") + QStringLiteral(";;") +
                tr("PDF (*.pdf)"),
            QStringLiteral("png"));
    });
    menu->addAction(tr("The figures as &JSON…"), this, [this] {
        ask(tr("Save the figures"), tr("JSON (*.json)"), QStringLiteral("json"));
    });
    menu->addAction(tr("A report as &HTML…"), this, [this] {
        ask(tr("Save the report"), tr("HTML (*.html)"), QStringLiteral("html"));
    });
    menu->addSeparator();
    menu->addAction(tr("&Copy as Markdown"), this, &ExportMenu::copyMarkdown);
    setMenu(menu);
    setRun(nullptr);
}

void ExportMenu::setRun(SharedRun run) {
    run_ = std::move(run);
    setEnabled(run_ != nullptr);
}

void ExportMenu::ask(const QString& title, const QString& filter, const QString& suffix) {
    QFileDialog dialog(this, title, {}, filter);
    dialog.setAcceptMode(QFileDialog::AcceptSave);
    dialog.setDefaultSuffix(suffix);
    dialog.selectFile(QStringLiteral("lockstep-run-%1.%2").arg(run_->number).arg(suffix));
    connect(&dialog, &QFileDialog::filterSelected, &dialog, [&dialog](const QString& chosen) {
        dialog.setDefaultSuffix(chosen.section(QLatin1Char('.'), -1).chopped(1));
    });
    if (dialog.exec() == QDialog::Accepted) saveAs(dialog.selectedFiles().value(0));
}

bool ExportMenu::saveAs(const QString& file) {
    if (!run_) return false;
    const QString kind = QFileInfo(file).suffix().toLower();
    const Status written = kind == QLatin1String("json") ? exportJson(*run_, file)
                           : kind == QLatin1String("html")
                               ? exportHtml(*run_, file)
                               : exportPlot(*plot_, resultText(run_->inspection()), file);
    if (written)
        Q_EMIT saved(file);
    else
        Q_EMIT failed(QString::fromStdString(written.error().message));
    return written.has_value();
}

void ExportMenu::copyMarkdown() {
    if (!run_) return;
    QApplication::clipboard()->setText(markdownText(*run_));
    Q_EMIT copied();
}

}  // namespace lockstep
