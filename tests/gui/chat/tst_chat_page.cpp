// SPDX-License-Identifier: GPL-3.0-or-later
// Drives the page as a user does, with a producer that the test plays.
#include <QAbstractItemModelTester>
#include <QClipboard>
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>
#include <QTest>

#include "tests/gui/chat/sample_chat.h"
#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/composer.h"
#include "ui/chat/context_meter.h"
#include "ui/chat/growing_text_edit.h"
#include "ui/chat/message_editor.h"
#include "ui/chat/transcript_view.h"
#include "ui/theme/theme.h"

using namespace lockstep;

namespace {

const AnswerStats usual{3, 50, 0.1, QStringLiteral("fused"), QStringLiteral("end_of_text")};

struct Page : ChatPage {
    Page() : asked(this, &ChatPage::sendRequested), stopped(this, &ChatPage::stopRequested) {
        resize(900, 700);
        setModelName("Model");
        setReady(true);
        show();
        focusComposer();
    }
    GrowingTextEdit* field() const { return composer()->field(); }
    QToolButton* button() const { return composer()->button(); }
    void type(const QString& text) { QTest::keyClicks(field(), text); }
    void enter(Qt::KeyboardModifiers modifiers = {}) {
        QTest::keyClick(field(), Qt::Key_Return, modifiers);
    }
    QVector<ChatEntry> lastAsked() const {
        return asked.isEmpty() ? QVector<ChatEntry>() : asked.last()[0].value<QVector<ChatEntry>>();
    }
    void answer(const QString& text) {
        appendText(text);
        finishAnswer(usual);
    }
    template <typename T = QToolButton>
    T* visible(const QString& name) const {
        for (T* widget : findChildren<T*>()) {
            if (widget->isVisible() && widget->accessibleName() == name) return widget;
        }
        return nullptr;
    }

    QSignalSpy asked, stopped;
    QAbstractItemModelTester tester{model(),
                                    QAbstractItemModelTester::FailureReportingMode::QtTest};
};

}  // namespace

class TestChatPage : public QObject {
    Q_OBJECT

    std::unique_ptr<Theme> theme_;

  private Q_SLOTS:
    void initTestCase() { theme_ = std::make_unique<Theme>(); }
    void cleanupTestCase() { theme_.reset(); }

    void enter_sends_and_the_answer_streams() {
        Page page;
        page.type("hello");
        page.enter();
        QCOMPARE(page.asked.size(), 1);
        QCOMPARE(page.lastAsked(), QVector<ChatEntry>({{"user", "hello"}}));
        QCOMPARE(page.field()->toPlainText(), QString());
        QVERIFY(page.isAnswering());
        page.appendText("Hel");
        page.appendText("lo.");
        QTRY_COMPARE(page.model()->turn(1).text, "Hello.");
        page.finishAnswer(usual);
        QVERIFY(!page.isAnswering());
        QCOMPARE(page.model()->turn(1).stats, usual);
    }

    void shift_enter_breaks_the_line() {
        Page page;
        page.type("one");
        page.enter(Qt::ShiftModifier);
        page.type("two");
        QCOMPARE(page.asked.size(), 0);
        page.enter();
        QCOMPARE(page.lastAsked().last().content, "one\ntwo");
    }

    void pieces_are_gathered_before_the_view_is_told() {
        Page page;
        page.send("hello");
        QSignalSpy changed(page.model(), &QAbstractItemModel::dataChanged);
        for (int i = 0; i < 500; ++i) page.appendText("x");
        QCOMPARE(changed.size(), 0);
        QTRY_COMPARE(page.model()->turn(1).text.size(), 500);
        QCOMPARE(changed.size(), 1);
    }

    void nothing_is_lost_at_the_end() {
        Page page;
        page.send("hello");
        page.answer("all of it");
        QCOMPARE(page.model()->turn(1).text, "all of it");
    }

    void blank_is_not_sent_and_not_while_answering() {
        Page page;
        page.enter();
        page.type("  ");
        page.enter();
        QVERIFY(!page.button()->isEnabled());
        QCOMPARE(page.asked.size(), 0);
        page.type("a");
        page.enter();
        page.type("b");
        page.enter();
        QCOMPARE(page.asked.size(), 1);
        QCOMPARE(page.field()->toPlainText(), "b");  // kept
    }

    void not_ready_says_why() {
        Page page;
        page.setReady(false, "Loading the model");
        page.type("a");
        page.enter();
        QCOMPARE(page.asked.size(), 0);
        QVERIFY(!page.button()->isEnabled());
        QCOMPARE(page.field()->placeholderText(), "Loading the model");
        page.setReady(true);
        page.enter();
        QCOMPARE(page.asked.size(), 1);
    }

    void send_becomes_stop_data() {
        QTest::addColumn<bool>("escape");
        QTest::newRow("button") << false;
        QTest::newRow("Esc") << true;
    }
    void send_becomes_stop() {
        QFETCH(bool, escape);
        Page page;
        QVERIFY(page.button()->accessibleName().startsWith("Send"));
        page.type("a");
        page.enter();
        QVERIFY(page.button()->accessibleName().startsWith("Stop"));
        QVERIFY(page.button()->isEnabled());
        if (escape) {
            QVERIFY(QTest::qWaitForWindowActive(&page));
            QTest::keyClick(page.field(), Qt::Key_Escape);
        } else {
            QTest::mouseClick(page.button(), Qt::LeftButton);
        }
        QCOMPARE(page.stopped.size(), 1);
        page.appendText("half");
        page.finishAnswer({1, 0, 0, "fused", "cancelled"});
        QVERIFY(page.button()->accessibleName().startsWith("Send"));
        QCOMPARE(page.model()->turn(1).text, "half");
    }

    void up_brings_back_what_was_sent() {
        Page page;
        for (const char* text : {"one", "two"}) {
            page.type(text);
            page.enter();
            page.answer("ok");
        }
        page.type("draft");
        QTest::keyClick(page.field(), Qt::Key_Up);  // to the line's start first
        page.field()->moveCursor(QTextCursor::Start);
        QTest::keyClick(page.field(), Qt::Key_Up);
        QCOMPARE(page.field()->toPlainText(), "two");
        QTest::keyClick(page.field(), Qt::Key_Up);
        QTest::keyClick(page.field(), Qt::Key_Up);
        QCOMPARE(page.field()->toPlainText(), "one");
        QTest::keyClick(page.field(), Qt::Key_Down);
        QTest::keyClick(page.field(), Qt::Key_Down);
        QCOMPARE(page.field()->toPlainText(), "draft");
    }

    void the_field_grows_to_a_limit() {
        Page page;
        const int one = page.field()->height();
        page.enter(Qt::ShiftModifier);
        page.enter(Qt::ShiftModifier);
        const int three = page.field()->height();
        QVERIFY(three > one);
        for (int i = 0; i < 40; ++i) page.enter(Qt::ShiftModifier);
        const int many = page.field()->height();
        QVERIFY(many > three);
        QVERIFY(many < page.height() / 2);
        page.field()->setPlainText(QString(2000, QLatin1Char('x')));  // wraps
        QTRY_COMPARE(page.field()->height(), many);
        page.field()->clear();
        QTRY_COMPARE(page.field()->height(), one);
    }

    void regenerate_drops_the_answer_only() {
        Page page;
        page.send("a");
        page.answer("first");
        auto* button = page.visible("Answer again");
        QVERIFY(button);
        button->click();
        QCOMPARE(page.asked.size(), 2);
        QCOMPARE(page.lastAsked(), QVector<ChatEntry>({{"user", "a"}}));
        QCOMPARE(page.model()->turns(), 2);
        page.answer("second");
        QCOMPARE(page.model()->turn(1).text, "second");
    }

    void edit_and_resend_drops_what_follows() {
        Page page;
        for (const char* text : {"a", "b"}) {
            page.send(text);
            page.answer("ok");
        }
        page.transcript()->setFocus();
        QTest::keyClick(page.transcript(), Qt::Key_Home);
        QTest::keyClick(page.transcript(), Qt::Key_F2);
        QVERIFY(page.transcript()->isEditing());
        GrowingTextEdit* field = page.transcript()->editor()->field();
        QTRY_VERIFY(field->hasFocus());
        QCOMPARE(field->toPlainText(), "a");
        field->setPlainText("c");
        QTest::keyClick(field, Qt::Key_Return);
        QVERIFY(!page.transcript()->isEditing());
        QCOMPARE(page.lastAsked(), QVector<ChatEntry>({{"user", "c"}}));
        QCOMPARE(page.model()->turns(), 2);
    }

    void edit_can_be_given_up() {
        Page page;
        page.send("a");
        page.answer("ok");
        page.transcript()->beginEdit(0);
        QTest::keyClicks(page.transcript()->editor()->field(), "xyz");
        QTest::keyClick(page.transcript()->editor()->field(), Qt::Key_Escape);
        QVERIFY(!page.transcript()->isEditing());
        QCOMPARE(page.model()->turn(0).text, "a");
        QCOMPARE(page.asked.size(), 1);
        page.transcript()->beginEdit(1);  // an answer is not edited
        QVERIFY(!page.transcript()->isEditing());
    }

    void a_failure_is_shown_and_can_be_retried() {
        Page page;
        page.send("a");
        page.failAnswer("The prompt is too long.");
        QCOMPARE(page.model()->turn(1).state, TurnState::failed);
        QVERIFY(!page.isAnswering());
        QVERIFY(!page.transcript()->layoutOf(1).errorRect().isEmpty());
        auto* retry = page.visible("Try again");
        QVERIFY(retry);
        retry->click();
        QCOMPARE(page.lastAsked(), QVector<ChatEntry>({{"user", "a"}}));
        QCOMPARE(page.model()->turn(1).state, TurnState::waiting);
    }

    void the_system_prompt_goes_first() {
        Page page;
        page.setSystemPrompt("Be brief.");
        page.send("a");
        QCOMPARE(page.lastAsked(), QVector<ChatEntry>({{"system", "Be brief."}, {"user", "a"}}));
        page.answer("ok");
        QSignalSpy edited(&page, &ChatPage::systemPromptChanged);
        page.setSystemPrompt(" ");
        QCOMPARE(edited.size(), 0);
        auto* toggle = page.findChild<QToolButton*>("systemPromptToggle");
        toggle->click();
        auto* field = page.visible<GrowingTextEdit>("System prompt");
        QVERIFY(field);
        field->selectAll();
        QTest::keyClicks(field, "Be long.");
        QTest::keyClick(field, Qt::Key_Return);  // breaks the line
        QCOMPARE(page.systemPrompt(), "Be long.\n");
        QVERIFY(edited.size() > 0);
        toggle->click();
        QVERIFY(!field->isVisible());
    }

    void new_chat_forgets_and_drops_late_text() {
        Page page;
        page.send("a");
        page.appendText("x");
        QSignalSpy fresh(&page, &ChatPage::newChatStarted);
        page.newChatAction()->trigger();
        QCOMPARE(page.stopped.size(), 1);
        QCOMPARE(fresh.size(), 1);
        QCOMPARE(page.model()->turns(), 0);
        page.send("b");
        page.appendText("late text of a");
        page.finishAnswer({1, 0, 0, "fused", "cancelled"});
        QVERIFY(page.isAnswering());
        page.answer("of b");
        QCOMPARE(page.model()->turn(1).text, "of b");
    }

    void an_example_starts_the_chat() {
        Page page;
        QPushButton* example = nullptr;
        for (auto* button : page.findChildren<QPushButton*>()) {
            if (button->isVisible() && button->accessibleName().startsWith("Send:"))
                example = button;
        }
        QVERIFY(example);
        example->click();
        QCOMPARE(page.lastAsked().last().content, example->text());
        QVERIFY(page.transcript()->isVisible());
    }

    void the_meter_says_how_full_it_is() {
        Page page;
        auto* meter = page.findChild<ContextMeter*>();
        QVERIFY(!meter->isVisible());
        page.setContextUse(1284, 8192);
        QVERIFY(meter->isVisible());
        QCOMPARE(meter->text(), QLocale().toString(1284) + " / " + QLocale().toString(8192));
        QVERIFY(meter->accessibleDescription().contains(QLocale().toString(1284)));
        QCOMPARE(meter->toolTip(), meter->accessibleDescription());
    }

    void typing_beside_the_field_lands_in_it() {
        Page page;
        page.send("a");
        page.answer("ok");
        page.transcript()->setFocus();
        QTest::keyClicks(page.transcript(), "xy");
        QCOMPARE(page.field()->toPlainText().left(1), "x");
        QTRY_VERIFY(page.field()->hasFocus());
    }

    void copy_puts_markdown_on_the_clipboard() {
        Page page;
        page.send("a");
        page.answer("**b**");
        page.visible("Copy answer as Markdown")->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), "**b**");
        page.copyAnswerAction()->trigger();
        QCOMPARE(QGuiApplication::clipboard()->text(), "**b**");
    }

    void every_control_has_a_name_and_the_keyboard_reaches_it() {
        Page page;
        page.setContextUse(10, 100);
        page.model()->setTurns(samples::shortChat());
        QTest::qWait(50);
        page.transcript()->setFocus(Qt::TabFocusReason);
        page.transcript()->setCurrentRow(0);
        int controls = 0;
        for (QWidget* widget : page.findChildren<QWidget*>()) {
            const bool inner = widget->objectName().startsWith("qt_");
            if (!widget->isVisible() || widget->focusPolicy() == Qt::NoFocus || inner) continue;
            ++controls;
            const QString what = QString::fromLatin1(widget->metaObject()->className());
            QVERIFY2(!widget->accessibleName().isEmpty(), qPrintable(what));
            QVERIFY2(widget->focusPolicy() & Qt::TabFocus, qPrintable(what));
            auto* button = qobject_cast<QToolButton*>(widget);
            if (button) QVERIFY2(!button->toolTip().isEmpty(), qPrintable(what));
        }
        QVERIFY2(controls >= 7, qPrintable(QString::number(controls)));
        // Tab goes round and meets every one of them.
        QVERIFY(QTest::qWaitForWindowActive(&page));
        QSet<QWidget*> met;
        for (int i = 0; i < 60 && !met.contains(QApplication::focusWidget()); ++i) {
            met.insert(QApplication::focusWidget());
            QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
        }
        for (QWidget* widget : page.findChildren<QToolButton*>()) {
            if (!widget->isVisible() || !widget->isEnabled()) continue;
            QVERIFY2(met.contains(widget), qPrintable(widget->accessibleName()));
        }
        QVERIFY(met.contains(page.field()));
        QVERIFY(met.contains(page.transcript()));
    }
};

QTEST_MAIN(TestChatPage)
#include "tst_chat_page.moc"
