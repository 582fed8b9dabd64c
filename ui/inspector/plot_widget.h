// SPDX-License-Identifier: GPL-3.0-or-later
// What the panel's plots share: a QCustomPlot in the palette's colours and the user's font, with a
// focus ring, and a line of text that says to a screen reader what is selected in it.
#pragma once

// QCustomPlot's header is written with Qt's short keywords, without which ours are compiled.
#pragma push_macro("signals")
#pragma push_macro("foreach")
#undef signals
#undef foreach
#define signals Q_SIGNALS
#define foreach Q_FOREACH
// It includes all of Qt's printing, and with that all of Qt's widgets, and needs none of it:
// without, a file compiles in half the time.
#define QT_QTPRINTSUPPORT_MODULE_H
#include <qcustomplot.h>
#undef QT_QTPRINTSUPPORT_MODULE_H
#pragma pop_macro("foreach")
#pragma pop_macro("signals")

namespace lockstep {

struct ThemeColors;

class DecadeTicker;

class PlotWidget : public QCustomPlot {
    Q_OBJECT
  public:
    explicit PlotWidget(QWidget* parent = nullptr);

    // In words, what is selected; told to a screen reader as it changes.
    const QString& readout() const { return readout_; }

  Q_SIGNALS:
    void readoutChanged(const QString& readout);

  protected:
    void setReadout(const QString& text);
    // Colours and fonts of what a plot has beyond axes and legend. Called as they change, and once
    // the plot is first shown.
    virtual void dress(const ThemeColors& colors) = 0;
    void dressAll();
    // A legend in a row of its own above the axes.
    void putLegendAbove();
    // A log axis gets as many decades as there is room for their names.
    QSharedPointer<DecadeTicker> setDecades(QCPAxis* axis);
    // Called once the axes have their place, before anything is drawn.
    virtual void place() {}
    int unit() const { return fontMetrics().height(); }

    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

  private:
    struct DecadeAxis {
        QPointer<QCPAxis> axis;
        QSharedPointer<DecadeTicker> ticker;
    };

    void dressAxis(QCPAxis* axis, const ThemeColors& colors) const;
    void fitDecades();
    double labelDecades(const QCPAxis& axis) const;

    QString readout_;
    QVector<DecadeAxis> decade_axes_;
};

// A log axis' decades as 10ⁿ, and names for coordinates of its own (0, not finite).
class DecadeTicker : public QCPAxisTickerLog {
  public:
    struct Place {
        double coordinate;
        QString name;
    };
    // Decades outside [from, to] have no tick.
    void setDecades(double from, double to);
    void setPlaces(QVector<Place> places) { places_ = std::move(places); }
    // How many decades a label takes, as the axis is; true if that changes which have one.
    bool setLabelSize(double decades);

  protected:
    QVector<double> createTickVector(double step, const QCPRange& range) override;
    bool hasRoom(double tick) const;
    QVector<double> createSubTickVector(int count, const QVector<double>& ticks) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar format, int precision) override;

  private:
    QVector<Place> places_;
    double from_ = 0, to_ = 0;  // 0: everywhere
    double label_size_ = 0;     // decades
    int stride_ = 1;            // each second, fifth, ... decade
};

}  // namespace lockstep
