// SPDX-License-Identifier: GPL-3.0-or-later
// What the mouse and the keyboard select in the transcript, and what is copied.
#include <QClipboard>
#include <QToolButton>
#include <QTest>

#include "tests/gui/chat/transcript_fixture.h"
#include "ui/theme/theme.h"

using namespace lockstep;
using namespace lockstep::test;

class TestTranscriptSelection : public QObject {
    Q_OBJECT

    std::unique_ptr<Theme> theme_;

  private Q_SLOTS:
    void initTestCase() { theme_ = std::make_unique<Theme>(); }
    void cleanupTestCase() { theme_.reset(); }

    void mouse_selects_across_blocks_and_messages() {
        View v;
        v.model.addUser("first question");
        v.model.beginAnswer();
        v.model.appendToAnswer("alpha\n\n```\nbeta\n```");
        v.model.finishAnswer({});
        QWidget* viewport = v.view.viewport();
        const auto at = [&](TextSpot spot) {
            const QRect caret = v.view.caretRect(spot);
            return QPoint(caret.left() + 1, caret.center().y());
        };
        QTest::mousePress(viewport, Qt::LeftButton, {}, at({0, {0, 6}}));
        QTest::mouseMove(viewport, at({1, {1, 2}}));
        QTest::mouseRelease(viewport, Qt::LeftButton, {}, at({1, {1, 2}}));
        QCOMPARE(v.view.selectedText(), "question\n\nalpha\n\nbe");
        v.view.setFocus();
        QTest::keyClick(&v.view, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QGuiApplication::clipboard()->text(), "question\n\nalpha\n\nbe");
        QTest::keyClick(&v.view, Qt::Key_Escape);
        QVERIFY(!v.view.hasSelection());
    }

    void double_click_takes_a_word_and_a_third_the_block() {
        View v;
        v.answer("alpha beta gamma");
        const QRect caret = v.view.caretRect({1, {0, 8}});
        const QPoint point(caret.left() + 1, caret.center().y());
        QTest::mouseDClick(v.view.viewport(), Qt::LeftButton, {}, point);
        QCOMPARE(v.view.selectedText(), "beta");
        QTest::mouseClick(v.view.viewport(), Qt::LeftButton, {}, point);
        QCOMPARE(v.view.selectedText(), "alpha beta gamma");
    }

    void keyboard_selects_data() {
        QTest::addColumn<int>("key");
        QTest::addColumn<int>("times");
        QTest::addColumn<bool>("control");
        QTest::addColumn<QString>("text");
        QTest::newRow("letters") << int(Qt::Key_Right) << 3 << false << "alp";
        QTest::newRow("words") << int(Qt::Key_Right) << 2 << true << "alpha beta";
        QTest::newRow("into the next block")
            << int(Qt::Key_Right) << 11 << false << "alpha beta\n\n";
        QTest::newRow("to the line's end") << int(Qt::Key_End) << 1 << false << "alpha beta";
        QTest::newRow("to the message's end")
            << int(Qt::Key_End) << 1 << true << "alpha beta\n\ngamma";
        QTest::newRow("a line down") << int(Qt::Key_Down) << 1 << false << "alpha beta\n\n";
    }
    void keyboard_selects() {
        QFETCH(int, key);
        QFETCH(int, times);
        QFETCH(bool, control);
        QFETCH(QString, text);
        View v;
        v.answer("alpha beta\n\ngamma");
        v.view.setFocus();
        QTest::keyClick(&v.view, Qt::Key_Up);
        QTest::keyClick(&v.view, Qt::Key_Down);
        QCOMPARE(v.view.currentRow(), 1);
        const Qt::KeyboardModifiers modifiers =
            Qt::ShiftModifier | (control ? Qt::ControlModifier : Qt::NoModifier);
        for (int i = 0; i < times; ++i) QTest::keyClick(&v.view, Qt::Key(key), modifiers);
        QCOMPARE(v.view.selectedText(), text);
    }

    void select_all_takes_the_message_then_all() {
        View v;
        v.answer("text");
        v.view.setFocus();
        v.view.setCurrentRow(1);
        QTest::keyClick(&v.view, Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(v.view.selectedText(), "text");
        QTest::keyClick(&v.view, Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(v.view.selectedText(), "question\n\ntext");
    }

    void copy_without_selection_takes_the_message() {
        View v;
        v.answer("**text**");
        v.view.setFocus();
        v.view.setCurrentRow(1);
        QTest::keyClick(&v.view, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QGuiApplication::clipboard()->text(), "**text**");
    }

    void a_selection_survives_what_streams_below() {
        View v;
        v.stream("alpha beta\n\nrest");
        v.view.select({1, {0, 0}}, {1, {0, 5}});
        v.model.appendToAnswer(" and more\n\nand more");
        QCOMPARE(v.view.selectedText(), "alpha");
    }

    void code_is_copied_as_it_is() {
        View v;
        const QString code = "def f():\n\treturn 'a very long line that wraps' " +
                             QString(300, QLatin1Char('#')) + "\n\n    # end";
        v.answer("x\n\n```python\n" + code + "\n```\n\n```sh\nls\n```");
        QList<QToolButton*> buttons;
        for (auto* button : v.view.findChildren<QToolButton*>()) {
            if (button->isVisible() && button->accessibleName() == "Copy code") buttons << button;
        }
        QCOMPARE(buttons.size(), 2);
        buttons[0]->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), code);
        buttons[1]->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), "ls");
        QVERIFY(buttons[0]->accessibleDescription().contains("python"));
    }
};

QTEST_MAIN(TestTranscriptSelection)
#include "tst_transcript_selection.moc"
