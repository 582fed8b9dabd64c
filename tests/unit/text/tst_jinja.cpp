// SPDX-License-Identifier: GPL-3.0-or-later
// One construct at a time: what jinja2 prints, we print; what it refuses, we refuse, in that line.
#include <QTest>
#include <set>

#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/json_value.h"
#include "core/text/jinja/parser.h"
#include "tests/unit/text/template_goldens.h"

using namespace lockstep;

namespace {

Result<jinja::Text> render(const std::string& source, const std::string& variables = "{}",
                           const jinja::Limits& limits = {}) {
    LOCKSTEP_ASSIGN(const jinja::Program program, jinja::parse(source));
    LOCKSTEP_ASSIGN(const jinja::Value values, jinja::value_of_json(variables, "variables"));
    std::vector<std::pair<std::string, jinja::Value>> named;
    for (const auto& [key, value] : values.as_dict().entries)
        named.emplace_back(key.bytes(), value);
    jinja::Interpreter interpreter(limits, test::golden_now());
    auto text = interpreter.render(program, std::move(named));
    if (!text && interpreter.refusal())
        return fail(ErrorKind::invalid_argument, "refused: " + *interpreter.refusal());
    return text;
}

// What is known to differ, and why.
const std::set<std::string> differs = {
    "{{ d.items() }}",  // a list of pairs here; Python prints dict_items(...)
    "{% break %}",      // Python gives no line of the template
};

}  // namespace

class TestJinja : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void equals_jinja2_data() {
        QTest::addColumn<QString>("source");
        QTest::addColumn<QString>("text");
        for (const OrderedJson& row : goldens_.constructs)
            if (row.contains("text"))
                QTest::newRow(row.at("source").dump().c_str())
                    << QString::fromStdString(row.at("source").get<std::string>())
                    << QString::fromStdString(row.at("text").get<std::string>());
    }
    void equals_jinja2() {
        QFETCH(QString, source);
        QFETCH(QString, text);
        if (differs.contains(source.toStdString())) QSKIP("differs on purpose");
        const std::string variables = goldens_.conversations.at("variables").dump();
        const auto actual = render(source.toStdString(), variables);
        QVERIFY2(actual, actual ? "" : actual.error().message.c_str());
        QCOMPARE(QString::fromStdString(actual->bytes()), text);
    }

    void fails_as_jinja2_does_data() {
        QTest::addColumn<QString>("source");
        QTest::addColumn<int>("line");
        QTest::addColumn<QString>("error");
        for (const OrderedJson& row : goldens_.constructs)
            if (row.contains("error"))
                QTest::newRow(row.at("source").dump().c_str())
                    << QString::fromStdString(row.at("source").get<std::string>())
                    << row.at("line").get<int>()
                    << QString::fromStdString(row.at("error").get<std::string>());
    }
    void fails_as_jinja2_does() {
        QFETCH(QString, source);
        QFETCH(int, line);
        QFETCH(QString, error);
        if (differs.contains(source.toStdString())) QSKIP("differs on purpose");
        const std::string variables = goldens_.conversations.at("variables").dump();
        const auto actual = render(source.toStdString(), variables);
        QVERIFY2(!actual, actual ? actual->bytes().c_str() : "");
        const QString message = QString::fromStdString(actual.error().message);
        if (source.contains("raise_exception")) {
            QCOMPARE(message, "refused: " + error);
            return;
        }
        const QString expected = QString("line %1: ").arg(line);
        QVERIFY2(message.startsWith(expected), qPrintable(expected + error + " / " + message));
    }

    // Whatever a template asks for, it ends soon, in little memory, with a clear word.
    void is_bounded_data() {
        QTest::addColumn<QString>("source");
        QTest::addColumn<QString>("error");
        const auto row = [](const char* name, const QString& source, const char* error) {
            QTest::newRow(name) << source << QString(error);
        };
        const QString doubling =
            "{% set n = namespace(x=%1) %}{% for i in range(90) %}{% set n.x = %2 %}{% endfor %}";
        row("repeated string", "{{ 'a' * 10 ** 9 }}", "'*' makes more than");
        row("repeated list", "{{ [1] * 10 ** 9 }}", "'*' makes more than");
        row("huge range", "{{ range(10 ** 12) }}", "range has more than");
        row("nested ranges",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "more than");
        row("doubled string", doubling.arg("'ab'", "n.x ~ n.x"), "MiB");
        row("doubled by replace", doubling.arg("'aa'", "n.x.replace('a', 'aaaa')"), "MiB");
        row("doubled list", doubling.arg("[1]", "n.x + n.x"), "more than");
        row("doubled set block",
            "{% set n = namespace(x='ab') %}{% for i in range(90) %}{% set y %}{{ n.x }}{{ n.x "
            "}}{% endset %}{% set n.x = y %}{% endfor %}",
            "MiB");
        row("shared lists, printed", doubling.arg("[1]", "[n.x, n.x]") + "{{ n.x }}", "too large");
        row("shared lists, compared", doubling.arg("[1]", "[n.x, n.x]") + "{{ n.x == n.x }}",
            "too large");
        row("deep lists",
            "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor "
            "%}",
            "nest more than");
        row("deep dicts",
            "{% set n = namespace(x={}) %}{% for i in range(9999) %}{% set n.x = {'k': n.x} %}{% "
            "endfor %}",
            "nest more than");
        row("deep methods",
            "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x.count] %}{% "
            "endfor %}",
            "nest more than");
        row("endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "calls nest more than");
        row("two macros in turn",
            "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
            "calls nest more than");
        row("doubling recursion",
            "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(50) "
            "}}",
            "steps");
        row("recursive loop", "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
            "calls nest more than");
        row("endless output", "{% for a in range(99999) %}{{ 'x' * 10000 }}{% endfor %}", "MiB");
        row("wide centre", "{{ 'a' | center(10 ** 12) }}", "MiB");
        row("wide indent", "{{ 'a\nb' | indent(10 ** 12) }}", "MiB");
        row("wide format", "{{ '%999999999d' % 1 }}", "width is too large");
        row("wide ljust", "{{ 'a'.ljust(10 ** 15) }}", "MiB");
        row("wide zfill", "{{ 'a'.zfill(10 ** 15) }}", "MiB");
        row("wide JSON", "{{ [[[1]]] | tojson(indent=10 ** 10) }}", "MiB");
        row("joined", "{{ range(90000) | join('x' * 100000) }}", "MiB");
        row("split to pieces", "{{ ('a' * 10 ** 7).split('a') | length }}", "more than");
        row("characters", "{{ ('a' * 10 ** 7) | list | length }}", "cannot be walked through");
        row("long searches",
            "{% set s = 'a' * 10 ** 7 %}{% for i in range(99999) %}{{ s.find('b') }}{% endfor %}",
            "steps");
        row("sorting", "{% for i in range(99999) %}{{ range(90000) | sort | first }}{% endfor %}",
            "steps");
        row("power", "{{ 2 ** 99 }}", "too large");
        row("power of reals", "{{ 10.0 ** 999 }}", "too large");
        row("product", "{{ 9223372036854775807 * 2 }}", "too large");
        row("sum", "{{ 9223372036854775807 + 1 }}", "too large");
        row("smallest integer", "{{ (-9223372036854775807 - 1) // -1 }}", "too large");
        row("slices", "{% for i in range(99999) %}{% set x = ('a' * 10 ** 7)[::2] %}{% endfor %}",
            "MiB");
        row("dict keys",
            "{% set n = namespace(x=(1,)) %}{% for i in range(40) %}{% set n.x = (n.x, n.x) %}{% "
            "endfor %}{{ {n.x: 1} }}",
            "too large");
    }
    void is_bounded() {
        QFETCH(QString, source);
        QFETCH(QString, error);
        const auto start = std::chrono::steady_clock::now();
        const auto text = render(source.toStdString());
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        QVERIFY(!text);
        QVERIFY2(text.error().message.find(error.toStdString()) != std::string::npos,
                 text.error().message.c_str());
        QVERIFY2(took.count() < 20, qPrintable(QString::number(took.count())));
    }
    void nesting_is_bounded_data() {
        QTest::addColumn<QString>("open");
        QTest::addColumn<QString>("middle");
        QTest::addColumn<QString>("close");
        const auto row = [](const char* open, const char* middle, const char* close) {
            QTest::newRow(open) << QString(open) << QString(middle) << QString(close);
        };
        row("(", "1", ")");
        row("[", "", "]");
        row("{1:", "2", "}");
        row("not ", "1", "");
        row("-", "1", "");
        row("1 + ", "1", "");
        row("a if b else ", "c", "");
        row("x[", "0", "]");
        row("f(", "", ")");
        row("1 if ", "2", " else 3");
        row("", "x", ".y");
        row("", "x", "|upper");
        row("", "x", " is defined");
        row("", "x", "()");
        row("1 ~ ", "2", "");
        row("1 < ", "2", "");
    }
    void nesting_is_bounded() {
        QFETCH(QString, open);
        QFETCH(QString, middle);
        QFETCH(QString, close);
        for (const int count : {90, 1000, 50000}) {
            const QString source =
                "{{ " + open.repeated(count) + middle + close.repeated(count) + " }}";
            (void)render(source.toStdString());  // must come back
        }
    }
    void blocks_nest_to_a_bound() {
        for (const char* tag :
             {"if 1", "for x in [1]", "with", "filter upper", "macro m()", "set x", "generation"}) {
            const std::string source = "{% " + std::string(tag) + " %}";
            std::string all;
            for (int i = 0; i < 20000; ++i) all += source;
            QVERIFY(!render(all));
        }
        std::string chain = "{% if 0 %}";
        for (int i = 0; i < 20000; ++i) chain += "{% elif 0 %}";
        QVERIFY(!render(chain + "{% endif %}"));
    }
    // Values that hold each other are freed: the sanitizers' run would tell.
    void cycles_are_freed() {
        for (const char* source :
             {"{% set a = namespace() %}{% set a.a = a %}{{ a.a.a is defined }}",
              "{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.l = [b, {'k': a}] "
              "%}True",
              "{% macro m() %}{% endmacro %}{% set n = namespace(m=m) %}{{ n.m is defined }}",
              "{% set n = namespace() %}{% for i in range(9) %}{% macro m() %}{% endmacro %}{% set "
              "n.m = [m, loop, n] %}{% endfor %}True",
              "{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}"})
            QCOMPARE(render(source)->bytes(), "True");
    }

  private:
    test::Goldens goldens_;
};

QTEST_APPLESS_MAIN(TestJinja)
#include "tst_jinja.moc"
