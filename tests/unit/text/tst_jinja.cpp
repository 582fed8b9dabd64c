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

  private:
    test::Goldens goldens_;
};

QTEST_APPLESS_MAIN(TestJinja)
#include "tst_jinja.moc"
