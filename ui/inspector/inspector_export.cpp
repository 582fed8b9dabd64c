// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspector_export.h"

#include <QBuffer>
#include <QFile>
#include <QFileInfo>
#include <QSaveFile>
#include <QSvgGenerator>
#include <QTemporaryDir>

#include "core/inspect/html_report.h"
#include "core/inspect/markdown_report.h"
#include "core/inspect/report.h"
#include "ui/inspector/divergence_plot.h"

namespace lockstep {
namespace {

constexpr int picture_width = 960, picture_height = 480;
constexpr double png_scale = 2;

Status write(const QString& name, const QByteArray& content) {
    QSaveFile file(name);
    if (file.open(QIODevice::WriteOnly) && file.write(content) == content.size() && file.commit())
        return {};
    return fail(ErrorKind::io,
                (name + QStringLiteral(" cannot be written: ") + file.errorString()).toStdString());
}

QByteArray svgOf(DivergencePlot& plot, const QString& title) {
    QByteArray content;
    QBuffer buffer(&content);
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setSize({picture_width, picture_height});
    svg.setViewBox(QRect(0, 0, picture_width, picture_height));
    svg.setTitle(title);
    QCPPainter painter;
    painter.begin(&svg);
    painter.setMode(QCPPainter::pmVectorized);
    plot.toPainter(&painter, picture_width, picture_height);
    painter.end();
    return content;
}

QByteArray pngOf(DivergencePlot& plot) {
    QByteArray content;
    QBuffer buffer(&content);
    plot.toPixmap(picture_width, picture_height, png_scale).save(&buffer, "PNG");
    return content;
}

// QCustomPlot writes PDF to a file of its own only.
QByteArray pdfOf(DivergencePlot& plot, const QString& title) {
    const QTemporaryDir folder;
    const QString name = folder.filePath(QStringLiteral("plot.pdf"));
    if (!plot.savePdf(name, picture_width, picture_height, QCP::epAllowCosmetic,
                      QStringLiteral("Lockstep"), title))
        return {};
    QFile file(name);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

Status exportPlot(DivergencePlot& plot, const QString& sentence, const QString& file) {
    const QString kind = QFileInfo(file).suffix().toLower();
    plot.setTitle(sentence);
    QByteArray content;
    if (kind == QLatin1String("png")) content = pngOf(plot);
    if (kind == QLatin1String("svg")) content = svgOf(plot, sentence);
    if (kind == QLatin1String("pdf")) content = pdfOf(plot, sentence);
    plot.setTitle({});
    if (content.isEmpty())
        return fail(
            ErrorKind::invalid_argument,
            (file + QStringLiteral(": a plot is written as .png, .svg or .pdf")).toStdString());
    return write(file, content);
}

Status exportJson(const InspectionRun& run, const QString& file) {
    const auto& diagnosis = run.inspection().diagnosis;
    const OrderedJson json =
        comparison_json(run.comparison(), run.result.texts, diagnosis ? &*diagnosis : nullptr);
    const std::string text = json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    return write(file, QByteArray::fromStdString(text));
}

Status exportHtml(const InspectionRun& run, const QString& file) {
    return write(file, QByteArray::fromStdString(html_report(run.inspection(), run.result.texts)));
}

QString markdownText(const InspectionRun& run) {
    return QString::fromStdString(markdown_report(run.inspection(), run.result.texts));
}

}  // namespace lockstep
