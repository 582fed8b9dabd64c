// SPDX-License-Identifier: GPL-3.0-or-later
// Text can be read in both palettes, controls can be seen, and icons follow the palette.
#include <QApplication>
#include <QDir>
#include <QSignalSpy>
#include <QTest>
#include <array>
#include <cmath>
#include <map>

#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

using namespace lockstep;

class TestTheme : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void contrastIsMeasured();
    void readable_data();
    void readable();
    void distanceIsMeasured();
    void toldApartByColourBlindPeople_data();
    void toldApartByColourBlindPeople();
    void heatmapIsReadByLightnessAlone_data();
    void heatmapIsReadByLightnessAlone();
    void iconsTakeThePalettesColour();
    void everyIconDraws_data();
    void everyIconDraws();
    void choices();
};

void TestTheme::contrastIsMeasured() {
    QCOMPARE(qRound(contrast(Qt::black, Qt::white) * 100), 2100);
    QCOMPARE(contrast(Qt::red, Qt::red), 1.0);
    // WCAG's own example of what just fails: #777777 on white is 4.48.
    QVERIFY(contrast(QColor("#777777"), Qt::white) < 4.5);
}

void TestTheme::readable_data() {
    QTest::addColumn<QColor>("ink");
    QTest::addColumn<QColor>("paper");
    QTest::addColumn<double>("least");
    for (const bool dark : {false, true}) {
        const QPalette p = dark ? darkPalette() : lightPalette();
        const ThemeColors& c = themeColors(p);
        const auto row = [&](const char* what, QColor ink, QColor paper, double least) {
            QTest::addRow("%s %s", dark ? "dark" : "light", what) << ink << paper << least;
        };
        for (const auto& [name, paper] : {std::pair{"window", p.color(QPalette::Window)},
                                          std::pair{"base", p.color(QPalette::Base)},
                                          std::pair{"button", p.color(QPalette::Button)}}) {
            const auto on = [&, name = name](const char* what) {
                return QByteArray(what) + " on " + name;
            };
            row(on("text"), p.color(QPalette::Text), paper, 7);
            row(on("muted"), c.muted, paper, 4.5);
            row(on("error"), c.error, paper, 4.5);
            row(on("warning"), c.warning, paper, 4.5);
            row(on("success"), c.success, paper, 4.5);
            row(on("accent"), c.accent, paper, 4.5);
            row(on("control"), c.control, paper, 3);
        }
        for (const auto& [name, ink] :
             {std::pair{"drift", c.drift}, std::pair{"local", c.local},
              std::pair{"noise floor", c.noise_floor}, std::pair{"overlay", c.overlay}})
            row(name + QByteArray(" on base"), ink, p.color(QPalette::Base), 3);
        row("text on hover", p.color(QPalette::Text), c.hover, 4.5);
        row("text on pressed", p.color(QPalette::Text), c.pressed, 4.5);
        row("text on user message", p.color(QPalette::Text), c.user_message, 4.5);
        row("text on code", p.color(QPalette::Text), c.code, 4.5);
        row("muted on code", c.muted, c.code, 4.5);
        row("text on error", p.color(QPalette::Text), c.error_background, 4.5);
        row("text on warning", p.color(QPalette::Text), c.warning_background, 4.5);
        row("error on its background", c.error, c.error_background, 4.5);
        row("warning on its background", c.warning, c.warning_background, 4.5);
        row("text on accent", c.on_accent, c.accent, 4.5);
        row("selection", p.color(QPalette::HighlightedText), p.color(QPalette::Highlight), 4.5);
        row("tool tip", p.color(QPalette::ToolTipText), p.color(QPalette::ToolTipBase), 4.5);
    }
}

void TestTheme::readable() {
    QFETCH(QColor, ink);
    QFETCH(QColor, paper);
    QFETCH(double, least);
    const double measured = contrast(ink, paper);
    QVERIFY2(measured >= least, qPrintable(QStringLiteral("%1 on %2: %3, not %4")
                                               .arg(ink.name(), paper.name())
                                               .arg(measured)
                                               .arg(least)));
}

// What people see who lack one of the three kinds of cones: Machado, Oliveira and Fernandes, A
// Physiologically-based Model for Simulation of Color Vision Deficiency (2009), severity 1.0, on
// linear RGB.
using Vision = std::array<std::array<double, 3>, 3>;
static const std::map<QByteArray, Vision> visions{
    {"all cones", {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}},
    {"protanopia",
     {{{0.152286, 1.052583, -0.204868},
       {0.114503, 0.786281, 0.099216},
       {-0.003882, -0.048116, 1.051998}}}},
    {"deuteranopia",
     {{{0.367322, 0.860646, -0.227968},
       {0.280085, 0.672501, 0.047413},
       {-0.011820, 0.042940, 0.968881}}}},
    {"tritanopia",
     {{{1.255528, -0.076749, -0.178779},
       {-0.078411, 0.930809, 0.147602},
       {0.004733, 0.691367, 0.303900}}}},
};

// CIE L*a*b* (D65) of what is seen.
static std::array<double, 3> seen(const QColor& color, const Vision& vision) {
    const auto linear = [](double c) {
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    const auto times = [](const Vision& matrix, const std::array<double, 3>& v) {
        std::array<double, 3> product{};
        for (size_t i = 0; i < 3; ++i)
            product[i] = matrix[i][0] * v[0] + matrix[i][1] * v[1] + matrix[i][2] * v[2];
        return product;
    };
    auto rgb = times(vision, {linear(color.redF()), linear(color.greenF()), linear(color.blueF())});
    for (double& channel : rgb) channel = std::clamp(channel, 0.0, 1.0);
    auto xyz = times({{{0.4124564, 0.3575761, 0.1804375},
                       {0.2126729, 0.7151522, 0.0721750},
                       {0.0193339, 0.1191920, 0.9503041}}},
                     rgb);
    const std::array<double, 3> white{0.95047, 1, 1.08883};
    for (size_t i = 0; i < 3; ++i) {
        const double t = xyz[i] / white[i];
        xyz[i] = t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116;
    }
    return {116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])};
}

static double distance(const QColor& a, const QColor& b, const Vision& vision) {
    const auto p = seen(a, vision), q = seen(b, vision);
    return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

void TestTheme::distanceIsMeasured() {
    QVERIFY(qAbs(seen(Qt::white, visions.at("all cones"))[0] - 100) < 0.01);
    QVERIFY(qAbs(seen(QColor("#777777"), visions.at("all cones"))[0] - 50.0) < 0.5);
    // A green and a red that some take for one colour, and grey, of which all see the same.
    const QColor green("#62cc7f"), red("#ff8f85");
    QVERIFY(distance(green, red, visions.at("all cones")) > 80);
    QVERIFY(distance(green, red, visions.at("deuteranopia")) < 10);
    for (const auto& [name, vision] : visions)
        QVERIFY(distance(QColor("#808080"), QColor("#808080"), vision) == 0 &&
                qAbs(seen(QColor("#808080"), vision)[0] - 53.6) < 1);
}

void TestTheme::toldApartByColourBlindPeople_data() {
    QTest::addColumn<QColor>("one");
    QTest::addColumn<QColor>("other");
    for (const bool dark : {false, true}) {
        const ThemeColors& c = themeColors(dark ? darkPalette() : lightPalette());
        const auto row = [&](const char* what, QColor one, QColor other) {
            QTest::addRow("%s %s", dark ? "dark" : "light", what) << one << other;
        };
        row("drift, local", c.drift, c.local);
        row("drift, noise floor", c.drift, c.noise_floor);
        row("drift, overlay", c.drift, c.overlay);
        row("local, noise floor", c.local, c.noise_floor);
        row("local, overlay", c.local, c.overlay);
        row("noise floor, overlay", c.noise_floor, c.overlay);
        // The mark of what diverged lies on local's curve: a large diamond, told by its shape.
        row("drift, diverged", c.drift, c.error);
        row("noise floor, diverged", c.noise_floor, c.error);
        row("overlay, diverged", c.overlay, c.error);
        // The heatmap's ring.
        for (const QColor& cell : c.error_scale) row("ring on a cell", c.drift, cell);
    }
}

void TestTheme::toldApartByColourBlindPeople() {
    QFETCH(QColor, one);
    QFETCH(QColor, other);
    for (const auto& [name, vision] : visions) {
        const double measured = distance(one, other, vision);
        QVERIFY2(measured >= 20, qPrintable(QStringLiteral("%1 and %2 with %3: %4")
                                                .arg(one.name(), other.name(), QString(name))
                                                .arg(measured)));
    }
}

void TestTheme::heatmapIsReadByLightnessAlone_data() {
    QTest::addColumn<bool>("dark");
    QTest::newRow("light") << false;
    QTest::newRow("dark") << true;
}

void TestTheme::heatmapIsReadByLightnessAlone() {
    QFETCH(bool, dark);
    const auto& scale = themeColors(dark ? darkPalette() : lightPalette()).error_scale;
    for (const auto& [name, vision] : visions) {
        for (size_t i = 1; i < scale.size(); ++i) {
            const double step = seen(scale[i], vision)[0] - seen(scale[i - 1], vision)[0];
            QVERIFY2(
                (dark ? step : -step) >= 8,
                qPrintable(
                    QStringLiteral("stop %1 with %2: %3").arg(i).arg(QString(name)).arg(step)));
        }
    }
}

static QColor inkOf(const QIcon& icon) {
    const QImage image = icon.pixmap(64).toImage();
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x)
            if (qAlpha(image.pixel(x, y)) == 255) return QColor(image.pixel(x, y));
    return {};
}

void TestTheme::iconsTakeThePalettesColour() {
    const QIcon icon = themedIcon(QStringLiteral("stop"));
    QApplication::setPalette(lightPalette());
    QCOMPARE(inkOf(icon), lightPalette().color(QPalette::ButtonText));
    QApplication::setPalette(darkPalette());
    QCOMPARE(inkOf(icon), darkPalette().color(QPalette::ButtonText));
    QCOMPARE(inkOf(colouredIcon(QStringLiteral("stop"), Qt::red)), QColor(Qt::red));
    QCOMPARE(iconPixmap(QStringLiteral("stop"), 16, 2, Qt::red).size(), QSize(32, 32));
}

void TestTheme::everyIconDraws_data() {
    QTest::addColumn<QString>("name");
    applicationIcon();  // the resources are there from now on
    for (const QString& file : QDir(QStringLiteral(":/icons")).entryList({QStringLiteral("*.svg")}))
        QTest::newRow(qPrintable(file)) << file.chopped(4);
}

void TestTheme::everyIconDraws() {
    QFETCH(QString, name);
    QVERIFY(inkOf(colouredIcon(name, Qt::blue)).isValid());
}

void TestTheme::choices() {
    Theme theme;
    QSignalSpy changed(&theme, &Theme::changed);
    theme.setChoice(ThemeChoice::dark);
    QVERIFY(isDark(QApplication::palette()));
    theme.setChoice(ThemeChoice::light);
    QVERIFY(!isDark(QApplication::palette()));
    QCOMPARE(changed.size(), 2);
    for (const auto choice : {ThemeChoice::system, ThemeChoice::light, ThemeChoice::dark})
        QCOMPARE(themeChoiceFromName(themeChoiceName(choice)), choice);
    QCOMPARE(themeChoiceFromName(QStringLiteral("purple")), ThemeChoice::system);
}

QTEST_MAIN(TestTheme)
#include "tst_theme.moc"
