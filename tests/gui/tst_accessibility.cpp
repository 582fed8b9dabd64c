// SPDX-License-Identifier: GPL-3.0-or-later
// Every control has a name that a screen reader can say, and can be reached and left with Tab.
#include <QAbstractButton>
#include <QAbstractSpinBox>
#include <QAccessible>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QPushButton>
#include <QSet>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/chat/transcript_view.h"
#include "ui/help_dialog.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/settings/settings_dialog.h"
#include "ui/theme/labels.h"

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
    void drillDown();
    void editing();
    void menus();
    void focusIsSeen();
    void aNamelessControlIsFound();
    void unseenFocusIsFound();
    void aReadableLabelsFocusIsNoCursorAlone();
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

// Controls that look the same with the focus as without it.
static QStringList unseen(QWidget* window) {
    QStringList found;
    for (QWidget* widget : window->findChildren<QWidget*>()) {
        if (widget->window() != window || !widget->isVisible() || !widget->isEnabled()) continue;
        if (!isControl(widget) || widget->focusProxy() || widget->visibleRegion().isEmpty())
            continue;
        const QRect place(widget->mapTo(window, QPoint()), widget->size());
        widget->clearFocus();  // the focus that it may have had for long: a text cursor blinks
        widget->setFocus(Qt::TabFocusReason);
        if (!widget->hasFocus()) continue;  // it has handed it on
        const QImage with = window->grab(place.adjusted(-4, -4, 4, 4)).toImage();
        widget->clearFocus();
        const QImage without = window->grab(place.adjusted(-4, -4, 4, 4)).toImage();
        if (with == without) found << QStringLiteral("no focus seen on ") + describe(widget);
    }
    return found;
}

// Who hears an item of a list or table hears words: each has a name, and a role of its own.
static QStringList namelessItems(QWidget* window) {
    QStringList found;
    for (auto* view : window->findChildren<QAbstractItemView*>()) {
        const QAbstractItemModel* model = view->model();
        if (!view->isVisible() || !model || model->rowCount(view->rootIndex()) == 0) continue;
        if (view->inherits("QComboBoxListView") || view->inherits("QHeaderView")) continue;
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(view);
        QAccessibleTableInterface* table = accessible ? accessible->tableInterface() : nullptr;
        QAccessibleInterface* cell = table ? table->cellAt(0, 0) : nullptr;
        if (!cell || cell->text(QAccessible::Name).isEmpty())
            found << QStringLiteral("no words for the first item of ") + describe(view);
    }
    return found;
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
    VERIFY_NONE(unvisited(dialog));
    VERIFY_NONE(namelessItems(dialog));
    QTest::keyClick(dialog, Qt::Key_Escape);
    QVERIFY(!dialog->isVisible());
}

// A window with a tiny model that has said something; false where it could not be made.
static bool converse(WindowFixture& fixture, MainWindow** window) {
    const QString model = fixture.path("tiny");
    if (!write_tiny_model(byte_recipe(), model.toStdString())) return false;
    *window = &fixture.open(model);
    fixture.change([](Settings& s) { s.max_tokens = 8; });
    if (!QTest::qWaitFor([&] { return !(*window)->isLoading(); }, load_ms)) return false;
    (*window)->chat()->send(QStringLiteral("Say hello."));
    return QTest::qWaitFor([&] { return !(*window)->chat()->isAnswering(); }, answer_ms);
}

// Behind each plot stands a table of its figures.
void TestAccessibility::drillDown() {
    WindowFixture fixture;
    MainWindow* window = nullptr;
    QVERIFY(converse(fixture, &window));
    window->resize(1280, 860);
    window->inspector()->show();
    InspectorPanel* panel = window->inspector()->panel();
    panel->bar()->plant({"k_output_scaled", 1});
    panel->run();
    QTRY_VERIFY_WITH_TIMEOUT(!panel->bar()->isRunning(), answer_ms);
    TapDetailView* detail = panel->drillDown()->detail();
    QTRY_VERIFY_WITH_TIMEOUT(detail->detail(), answer_ms);
    for (const int view :
         {TapDetailView::heatmap_view, TapDetailView::histogram_view, TapDetailView::worst_view}) {
        detail->views()->setCurrent(view);
        VERIFY_NONE(nameless(window));
        VERIFY_NONE(unvisited(window));
        if (view == TapDetailView::worst_view) break;
        PlotWidget* plot = nullptr;
        for (auto* each : detail->findChildren<PlotWidget*>())
            if (each->isVisible()) plot = each;
        QVERIFY(plot);
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(plot);
        QCOMPARE(accessible->role(), QAccessible::Chart);
        QVERIFY(!accessible->text(QAccessible::Value).isEmpty());
        auto* as_table =
            named<QToolButton>(detail, QStringLiteral("The tensor's figures as a table"));
        QVERIFY(as_table);
        as_table->click();
        VERIFY_NONE(namelessItems(window));
        int tables = 0;
        for (const auto* table : detail->findChildren<QTableView*>())
            if (table->isVisible() && table->model()->rowCount() > 0) ++tables;
        QCOMPARE(tables, 1);
        VERIFY_NONE(unvisited(window));
        as_table->click();
    }
    auto* as_table = named<QToolButton>(panel->plot(), QStringLiteral("The figures as a table"));
    QVERIFY(as_table);
    as_table->click();
    VERIFY_NONE(namelessItems(window));
    VERIFY_NONE(unseen(window));
}

// What opens in place: the system prompt, a message that is edited, a conversation's title.
void TestAccessibility::editing() {
    WindowFixture fixture;
    MainWindow* window = nullptr;
    QVERIFY(converse(fixture, &window));
    VERIFY_NONE(namelessItems(window));
    for (auto* button : window->chat()->findChildren<QToolButton*>())
        if (button->text().contains(QStringLiteral("System prompt"))) button->click();
    QVector<ChatTurn> turns{{TurnAuthor::user, TurnState::complete, QStringLiteral("Code?")}};
    turns.append({TurnAuthor::assistant, TurnState::complete,
                  QStringLiteral("One:\n```c\nint a;\n```\nTwo:\n```c\nint b;\n```\n")});
    window->chat()->model()->setTurns(turns);
    VERIFY_NONE(nameless(window));
    VERIFY_NONE(unvisited(window));
    VERIFY_NONE(unseen(window));
    window->chat()->transcript()->beginEdit(0);
    QVERIFY(window->chat()->transcript()->isEditing());
    VERIFY_NONE(nameless(window));
    VERIFY_NONE(unvisited(window));
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Escape);
}

static QStringList namelessActions(const QList<QAction*>& actions, const QString& where) {
    QStringList found;
    for (const QAction* action : actions) {
        if (action->isSeparator() || !action->isVisible()) continue;
        if (action->text().isEmpty() && !action->inherits("QWidgetAction"))
            found << QStringLiteral("no text: ") + where;
        if (action->menu())
            found << namelessActions(action->menu()->actions(), where + '/' + action->text());
    }
    return found;
}

// Each menu can be opened by keys, and each of its lines can be said.
void TestAccessibility::menus() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    window.inspector()->show();
    for (const QAction* action : window.menuBar()->actions())
        QVERIFY2(action->text().contains(QLatin1Char('&')), qPrintable(action->text()));
    VERIFY_NONE(namelessActions(window.menuBar()->actions(), QStringLiteral("menu bar")));
    for (auto* button : window.findChildren<QToolButton*>()) {
        if (!button->menu()) continue;
        VERIFY_NONE(namelessActions(button->menu()->actions(), describe(button)));
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(button);
        QVERIFY2(accessible->state().hasPopup, qPrintable(describe(button)));
    }
}

void TestAccessibility::focusIsSeen() {
    for (const ThemeChoice theme : {ThemeChoice::light, ThemeChoice::dark}) {
        WindowFixture fixture;
        MainWindow* window = nullptr;
        QVERIFY(converse(fixture, &window));
        fixture.change([&](Settings& s) { s.theme = theme; });
        window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(window));
        VERIFY_NONE(unseen(window));
        SettingsDialog* dialog = window->openSettings();
        dialog->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(dialog));
        for (int page = 0; page < dialog->pageCount(); ++page) {
            dialog->showPage(page);
            VERIFY_NONE(unseen(dialog));
        }
    }
    WindowFixture fixture;
    MainWindow& start = fixture.open();
    QVERIFY(QTest::qWaitForWindowActive(&start));
    VERIFY_NONE(unseen(&start));
}

void TestAccessibility::unseenFocusIsFound() {
    struct Plain : QWidget {
        using QWidget::QWidget;
        void paintEvent(QPaintEvent*) override {}
    };
    QWidget window;
    auto* plain = new Plain(&window);
    plain->setFocusPolicy(Qt::StrongFocus);
    plain->setGeometry(10, 10, 40, 20);
    auto* field = new QLineEdit(&window);
    field->setGeometry(10, 50, 80, 30);
    window.resize(120, 100);
    window.show();
    QVERIFY(QTest::qWaitForWindowActive(&window));
    QCOMPARE(unseen(&window).size(), 1);
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

// A text cursor blinks: half of the time nothing was seen of the focus.
void TestAccessibility::aReadableLabelsFocusIsNoCursorAlone() {
    WindowFixture fixture;
    fixture.open();  // with it comes the style
    QWidget window;
    auto* column = new QVBoxLayout(&window);
    QLabel* const label = readableLabel();
    label->setText(QStringLiteral("fused matches reference in every step."));
    column->addWidget(label);
    column->addWidget(new QPushButton(QStringLiteral("Other")));
    window.show();
    window.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&window));
    const QPoint on_the_ring(label->width() / 2, 1);
    label->clearFocus();
    const QColor without = label->grab().toImage().pixelColor(on_the_ring);
    label->setFocus(Qt::TabFocusReason);
    QVERIFY(label->hasFocus());
    QVERIFY(label->grab().toImage().pixelColor(on_the_ring) != without);
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
