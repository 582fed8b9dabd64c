// SPDX-License-Identifier: GPL-3.0-or-later
// A conversation of thousands of long messages renders, and a template that does not mean well
// ends.
#include <QElapsedTimer>
#include <QTest>

#include "tests/unit/text/template_goldens.h"

using namespace lockstep;

class TestLongConversations : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void many_messages_are_no_problem_data() { every_template(); }
    void many_messages_are_no_problem() {
        QFETCH(QString, name);
        const TemplateInputs inputs = long_conversation();
        const auto prompt = ChatTemplate::compile(test::fixture(name))->render(inputs);
        QVERIFY2(prompt, prompt ? "" : prompt.error().message.c_str());
        if (name != "generation_blocks")  // it stops after six turns
            QVERIFY(prompt->text.size() >= 5000 * 2000);
    }
    // What templates ask of the whole conversation at each message.
    void looking_at_the_whole_conversation_is_no_problem_data() {
        QTest::addColumn<QString>("source");
        const auto row =
            [](const char* name, const char* each) {
                QTest::newRow(name)
                    << QString("{% for m in messages %}%1{{ m.content }}{% endfor %}").arg(each);
            };
        row("its length", "{% if loop.index0 == messages|length - 1 %}x{% endif %}");
        row("its last message", "{% if m == (messages | last) %}x{% endif %}");
        row("whether it is a list", "{% if messages is iterable %}x{% endif %}");
        row("a default", "{% if messages | default([]) %}x{% endif %}");
        row("a loop that ends at once", "{% for n in messages %}{% break %}{% endfor %}");
        row("the message before",
            "{% if loop.first or messages[loop.index0 - 1].role %}x{% endif %}");
        row("by a macro",
            "{% macro last(all) %}{{ all[-1].role }}{% endmacro %}{{ last(messages) }}");
    }
    void looking_at_the_whole_conversation_is_no_problem() {
        QFETCH(QString, source);
        const auto compiled = ChatTemplate::compile(source.toStdString());
        QVERIFY2(compiled, compiled ? "" : compiled.error().message.c_str());
        const auto prompt = compiled->render(long_conversation());
        QVERIFY2(prompt, prompt ? "" : prompt.error().message.c_str());
        QVERIFY(prompt->text.size() >= 5000 * 2000);
    }
    // The bounds grow with the conversation; what they are against ends all the same.
    void a_long_conversation_does_not_set_a_template_free_data() {
        QTest::addColumn<QString>("source");
        const auto row = [](const char* name, const char* source) {
            QTest::newRow(name) << QString(source);
        };
        row("loops",
            "{% for a in messages %}{% for b in messages %}{% for c in messages %}"
            "{% endfor %}{% endfor %}{% endfor %}");
        row("JSON", "{% for a in messages %}{{ messages | tojson | length }}{% endfor %}");
        row("slices",
            "{% set n = namespace(x=[]) %}{% for a in messages %}{% for b in messages %}"
            "{% set n.x = [n.x, messages[1:]] %}{% endfor %}{% endfor %}");
        row("selections",
            "{% for a in messages %}{% for b in messages %}"
            "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
            "{% endfor %}{% endfor %}");
        row("comparisons",
            "{% for a in messages %}{% for b in messages %}"
            "{{ messages == messages }}{% endfor %}{% endfor %}");
    }
    void a_long_conversation_does_not_set_a_template_free() {
        QFETCH(QString, source);
        const auto compiled = ChatTemplate::compile(source.toStdString());
        QVERIFY2(compiled, compiled ? "" : compiled.error().message.c_str());
        QElapsedTimer clock;
        clock.start();
        QVERIFY(!compiled->render(long_conversation()));
        QVERIFY2(clock.elapsed() < 60000, qPrintable(QString("%1 ms").arg(clock.elapsed())));
        qInfo("%lld ms", static_cast<long long>(clock.elapsed()));
    }

  private:
    static void every_template() {
        QTest::addColumn<QString>("name");
        const QDir folder("golden/templates/templates");
        for (const QFileInfo& file : folder.entryInfoList({"*.jinja"}))
            QTest::newRow(qPrintable(file.baseName())) << file.completeBaseName();
    }
    // 5,000 messages of 2,000 characters.
    static TemplateInputs long_conversation() {
        TemplateInputs inputs;
        for (int i = 0; i < 5000; ++i)
            inputs.messages.push_back({i % 2 ? "assistant" : "user", std::string(2000, 'y')});
        return inputs;
    }
};

QTEST_APPLESS_MAIN(TestLongConversations)
#include "tst_long_conversations.moc"
