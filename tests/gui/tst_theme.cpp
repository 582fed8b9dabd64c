// SPDX-License-Identifier: GPL-3.0-or-later
// Text can be read in both palettes, controls can be seen, and icons follow the palette.
#include <QApplication>
#include <QDir>
#include <QSignalSpy>
#include <QTest>

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
