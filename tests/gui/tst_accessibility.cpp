// SPDX-License-Identifier: GPL-3.0-or-later
// Every control has a name that a screen reader can say, and can be reached and left with Tab.
#include <QAbstractButton>
#include <QAbstractSpinBox>
#include <QAccessible>
#include <QComboBox>
#include <QLineEdit>
#include <QSet>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "ui/help_dialog.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/segments.h"
#include "ui/settings/settings_dialog.h"

using namespace lockstep;
using namespace lockstep::test;

class TestAccessibility : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void startPage();
    void chatPage();
    void inspector();
    void settings();
    void help();
    void aNamelessControlIsFound();
    void fontsFollowTheUsers();
};

static QString describe(const QWidget* widget) {
    const auto* button = qobject_cast<const QAbstractButton*>(widget);
    const QWidget* parent = widget->parentWidget();
    return QStringLiteral("%1 '%2' in %3")
        .arg(QLatin1String(widget->metaObject()->className()),
             button ? button->text() : widget->objectName(),
             QLatin1String(parent ? parent->metaObject()->className() : "nothing"));
}

static bool isControl(const QWidget* widget) {
    // The parts of a spin box or a combo box speak through it.
    const QWidget* parent = widget->parentWidget();
    if (qobject_cast<const QAbstractSpinBox*>(parent) || qobject_cast<const QComboBox*>(parent))
        return false;
    return widget->focusPolicy() & Qt::TabFocus;
}

static QStringList nameless(QWidget* window) {
    QStringList found;
    for (QWidget* widget : window->findChildren<QWidget*>()) {
        if (widget->window() != window || !isControl(widget)) continue;
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(widget);
        if (!accessible || accessible->text(QAccessible::Name).trimmed().isEmpty())
            found << QStringLiteral("no name: ") + describe(widget);
        const auto* button = qobject_cast<QAbstractButton*>(widget);
        if (button && button->text().isEmpty() && !button->icon().isNull() &&
            button->toolTip().isEmpty())
            found << describe(widget) + QStringLiteral(": an icon without a tool tip");
    }
    return found;
}

// Presses Tab until the focus is back where it was; every visible, enabled control had it.
static QStringList unvisited(QWidget* window) {
    window->activateWindow();
    if (!QTest::qWaitForWindowActive(window)) return {QStringLiteral("the window is not active")};
    QSet<const QWidget*> visited;
    for (int step = 0; step < 200; ++step) {
        QWidget* focused = QApplication::focusWidget();
        if (focused) visited.insert(focused);
        QTest::keyClick(focused ? focused : window, Qt::Key_Tab);
    }
    QStringList missed;
    for (QWidget* widget : window->findChildren<QWidget*>()) {
        if (widget->window() != window || !widget->isVisible() || !widget->isEnabled()) continue;
        if (!isControl(widget) || widget->focusProxy()) continue;
        // Of radio buttons one stands for its group.
        if (widget->inherits("QRadioButton")) continue;
        if (!visited.contains(widget)) missed << QStringLiteral("no Tab to ") + describe(widget);
    }
    return missed;
}

#define VERIFY_NONE(list)                                          \
    do {                                                           \
        const QStringList found_ = (list);                         \
        QVERIFY2(found_.isEmpty(), qPrintable(found_.join('\n'))); \
    } while (false)

void TestAccessibility::startPage() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    VERIFY_NONE(nameless(&window));
    VERIFY_NONE(unvisited(&window));
}

void TestAccessibility::chatPage() {
    const QString model = defaultModel();
    if (model.isEmpty()) QSKIP("the default model is not here: ./lockstep test fetches it");
    WindowFixture fixture;
    MainWindow& window = fixture.open(model);
    VERIFY_NONE(nameless(&window));  // while it loads
    VERIFY_LOADED(window);
    VERIFY_NONE(nameless(&window));
    VERIFY_NONE(unvisited(&window));
    window.chat()->send(QStringLiteral("Say hello."));
    VERIFY_ANSWERED(window);
    VERIFY_NONE(nameless(&window));
    window.notice()->showNotice(NoticeBar::Kind::error, QStringLiteral("Something went wrong"),
                                QStringLiteral("and this is what"),
                                {QStringLiteral("Try again"), [] {}});
    VERIFY_NONE(nameless(&window));
}

void TestAccessibility::inspector() {
    const QString model = defaultModel();
    if (model.isEmpty()) QSKIP("the default model is not here: ./lockstep test fetches it");
    WindowFixture fixture;
    MainWindow& window = fixture.open(model);
    VERIFY_LOADED(window);
    window.resize(1280, 860);
    window.inspector()->show();
    InspectorPanel* panel = window.inspector()->panel();
    VERIFY_NONE(nameless(&window));
    VERIFY_NONE(unvisited(&window));
    panel->bar()->plant({"k_output_scaled", 3});
    panel->run();
    VERIFY_NONE(nameless(&window));  // while it runs
    QTRY_VERIFY_WITH_TIMEOUT(!panel->bar()->isRunning(), answer_ms);
    QVERIFY(panel->shown());
    for (const auto tab :
         {InspectorPanel::layer_tab, InspectorPanel::cause_tab, InspectorPanel::runs_tab}) {
        panel->tabs()->setCurrent(tab);
        VERIFY_NONE(nameless(&window));
        VERIFY_NONE(unvisited(&window));
    }
    // What the plot shows is said, too.
    QAccessibleInterface* plot = QAccessible::queryAccessibleInterface(panel->plot()->plot());
    QVERIFY(plot);
    QCOMPARE(plot->role(), QAccessible::Chart);
    QVERIFY(plot->text(QAccessible::Value).startsWith(QLatin1String("layer 3, qkv k: drift")));
}

void TestAccessibility::settings() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    SettingsDialog* dialog = window.openSettings();
    for (int page = 0; page < dialog->pageCount(); ++page) {
        dialog->showPage(page);
        VERIFY_NONE(nameless(dialog));
        VERIFY_NONE(unvisited(dialog));
    }
}

void TestAccessibility::help() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    window.findChild<QAction*>(QStringLiteral("help"))->trigger();
    auto* dialog = window.findChild<HelpDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    VERIFY_NONE(nameless(dialog));
    dialog->close();
}

void TestAccessibility::aNamelessControlIsFound() {
    QWidget window;
    auto* button = new QToolButton(&window);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setIcon(QIcon(QPixmap(8, 8)));
    QCOMPARE(nameless(&window).size(), 2);
    button->setAccessibleName(QStringLiteral("Named"));
    button->setToolTip(QStringLiteral("Named"));
    VERIFY_NONE(nameless(&window));
}

void TestAccessibility::fontsFollowTheUsers() {
    const QFont usual = QApplication::font();
    QFont large = usual;
    large.setPointSizeF(usual.pointSizeF() * 2);
    QApplication::setFont(large);
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    for (const QWidget* widget : window.findChildren<QWidget*>())
        QVERIFY2(widget->font().pointSizeF() >= large.pointSizeF() * 0.8,
                 qPrintable(describe(widget)));
    QApplication::setFont(usual);
}

QTEST_MAIN(TestAccessibility)
#include "tst_accessibility.moc"
