// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/icons.h"

#include <QFile>
#include <QGuiApplication>
#include <QIconEngine>
#include <QPainter>
#include <QPixmapCache>
#include <QSvgRenderer>

// Outside any namespace, as Qt wants it: a static library's resources are else not linked.
static void initResources() {
    Q_INIT_RESOURCE(lockstep);
}

namespace lockstep {
namespace {

QPixmap render(const QString& name, QSize pixels, const QColor& color) {
    const QString key = QStringLiteral("lockstep/%1/%2x%3/%4")
                            .arg(name)
                            .arg(pixels.width())
                            .arg(pixels.height())
                            .arg(color.rgba(), 0, 16);
    QPixmap pixmap;
    if (QPixmapCache::find(key, &pixmap)) return pixmap;
    initResources();
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly)) qWarning("no icon called %s", qPrintable(name));
    QByteArray svg = file.readAll();
    svg.replace("currentColor", color.name(QColor::HexRgb).toLatin1());
    QSvgRenderer renderer(svg);
    pixmap = QPixmap(pixels);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    renderer.setAspectRatioMode(Qt::KeepAspectRatio);
    painter.setOpacity(color.alphaF());
    renderer.render(&painter);
    painter.end();
    QPixmapCache::insert(key, pixmap);
    return pixmap;
}

class ThemedIconEngine : public QIconEngine {
  public:
    ThemedIconEngine(QString name, QPalette::ColorRole role, QColor color)
        : name_(std::move(name)), role_(role), color_(color) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode,
               QIcon::State state) override {
        const qreal ratio = painter->device() ? painter->device()->devicePixelRatio() : 1;
        QPixmap drawn = pixmap(rect.size() * ratio, mode, state);
        drawn.setDevicePixelRatio(ratio);
        painter->drawPixmap(rect, drawn);
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State) override {
        return render(name_, size, color(mode));
    }

    QIconEngine* clone() const override { return new ThemedIconEngine(name_, role_, color_); }
    QString key() const override { return QStringLiteral("lockstep"); }
    bool isNull() override { return false; }

  private:
    QColor color(QIcon::Mode mode) const {
        if (color_.isValid()) return color_;
        const QPalette palette = QGuiApplication::palette();
        if (mode == QIcon::Selected)
            return palette.color(QPalette::Active, QPalette::HighlightedText);
        if (mode != QIcon::Disabled) return palette.color(QPalette::Active, role_);
        QColor faded = palette.color(QPalette::Disabled, role_);
        faded.setAlphaF(0.55F);
        return faded;
    }

    QString name_;
    QPalette::ColorRole role_;
    QColor color_;
};

}  // namespace

QIcon themedIcon(const QString& name, QPalette::ColorRole role) {
    return QIcon(new ThemedIconEngine(name, role, {}));
}

QIcon colouredIcon(const QString& name, const QColor& color) {
    return QIcon(new ThemedIconEngine(name, QPalette::ButtonText, color));
}

QIcon applicationIcon() {
    initResources();
    return QIcon(QStringLiteral(":/icons/app/org.lockstep.Lockstep.svg"));
}

QPixmap iconPixmap(const QString& name, int extent, qreal device_pixel_ratio, const QColor& color) {
    const int pixels = qRound(extent * device_pixel_ratio);
    QPixmap pixmap = render(name, {pixels, pixels}, color);
    pixmap.setDevicePixelRatio(device_pixel_ratio);
    return pixmap;
}

}  // namespace lockstep
