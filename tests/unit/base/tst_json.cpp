// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <string>

#include "core/base/json.h"

using namespace lockstep;
using namespace std::string_literals;

namespace {
std::string nested(int depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

QByteArray error_of(const std::string& text) {
    const auto parsed = parse_json(text, "f.json");
    const auto ordered = parse_ordered_json(text, "f.json");
    if (parsed.has_value() != ordered.has_value()) return "sorted and ordered disagree";
    if (!parsed && parsed.error().message != ordered.error().message) return "messages disagree";
    return parsed ? QByteArray() : QByteArray::fromStdString(parsed.error().message);
}

template <class T>
QByteArray message_of(const Result<T>& result) {
    return result ? QByteArray("(no error)") : QByteArray::fromStdString(result.error().message);
}
}  // namespace

class TestJson : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void what_is_not_strict_json_is_refused_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("message");
        const auto row = [](const char* name, const std::string& text, const char* message) {
            QTest::newRow(name) << QByteArray::fromStdString(text) << QByteArray(message);
        };
        row("nothing", "", "f.json: line 1, column 1: syntax error");
        row("cut short", "{\"a\": [1, 2", "unexpected end of input");
        row("text behind", "{} x", "line 1, column 4");
        row("comment", "{} // c", "line 1, column 4");
        row("trailing comma", "[1,]", "line 1, column 4");
        row("single quotes", "{'a': 1}", "line 1, column 2");
        row("NaN", "[NaN]", "line 1, column 2");
        row("second line", "{\n  \"a\": 01}", "line 2, column 9");
        row("duplicate key", "{\"a\": 1,\n \"b\": 2, \"a\": 3}",
            "line 2, column 12: duplicate key \"a\"");
        row("duplicate by escape", "{\"a\": 1, \"\\u0061\": 3}", "duplicate key \"a\"");
        row("duplicate deep down", "{\"x\": [{\"k\": 1, \"k\": 1}]}", "duplicate key \"k\"");
        row("too deep", nested(65), "nested deeper than 64 levels");
        row("a million deep", std::string(1'000'000, '['), "nested deeper than 64 levels");
        row("number too large", "[1e999]", "number overflow");
        row("bare 0xff", "\"\xff\"", "invalid string: ill-formed UTF-8 byte");
        row("overlong", "\"\xc0\x80\"", "ill-formed UTF-8 byte");
        row("surrogate", "\"\xed\xa0\x80\"", "ill-formed UTF-8 byte");
        row("half a surrogate pair", "\"\\ud800\"", "surrogate");
        row("raw newline in a string", "\"a\nb\"", "control character");
        row("NUL", "[\0]"s, "line 1, column 2");
    }
    void what_is_not_strict_json_is_refused() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, message);
        const QByteArray error = error_of(text.toStdString());
        QVERIFY2(error.startsWith("f.json: line ") && error.contains(message), error);
    }

    void what_is_json_is_read() {
        QCOMPARE(error_of(nested(64)), QByteArray());
        const auto value =
            parse_json(R"({"b": [1, -2, 3.5, "x\u00e9😀", null, true], "a": {}})", "f");
        QVERIFY(value);
        QCOMPARE(value->dump(), R"({"a":{},"b":[1,-2,3.5,"xé😀",null,true]})"s);
        const auto ordered = parse_ordered_json(R"({"b": 1, "a": {"d": 2, "c": 3}})", "f");
        QVERIFY(ordered);
        QCOMPARE(ordered->dump(), R"({"b":1,"a":{"d":2,"c":3}})"s);
        QVERIFY(parse_json("1000000000000000019884624838656", "f")->is_number_float());
    }

    void a_size_over_the_limit_is_refused() {
        const auto value = parse_json("[1, 2, 3]", "f.json", JsonLimits{4, 64});
        QCOMPARE(message_of(value),
                 QByteArray("f.json: 9 bytes of JSON are more than the 4 allowed here"));
    }

    // 200,000 keys: neither form may search the keys before it one by one.
    void many_keys_take_linear_time() {
        std::string text = "{";
        for (int i = 0; i < 200'000; ++i) text += "\"key" + std::to_string(i) + "\": 1,";
        text.back() = '}';
        QElapsedTimer clock;
        clock.start();
        QCOMPARE(error_of(text), QByteArray());
        QVERIFY2(clock.elapsed() < 10'000, QByteArray::number(clock.elapsed()));
    }

    void getters_name_the_field_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("message");
        QTest::newRow("missing") << QByteArray("{}") << QByteArray("c.json: n: is missing");
        QTest::newRow("null") << QByteArray("{\"n\": null}") << QByteArray("c.json: n: is missing");
        QTest::newRow("string") << QByteArray("{\"n\": \"3\"}")
                                << QByteArray("c.json: n: must be an integer, not a string");
        QTest::newRow("fraction") << QByteArray("{\"n\": 3.0}")
                                  << QByteArray(
                                         "c.json: n: must be an integer, not a number with a "
                                         "fraction or exponent");
        QTest::newRow("zero") << QByteArray("{\"n\": 0}")
                              << QByteArray("c.json: n: 0 is outside 1 to 100");
        QTest::newRow("negative") << QByteArray("{\"n\": -5}")
                                  << QByteArray("c.json: n: -5 is outside 1 to 100");
        QTest::newRow("huge") << QByteArray("{\"n\": 18446744073709551615}")
                              << QByteArray("c.json: n: 18446744073709551615 is outside 1 to 100");
    }
    void getters_name_the_field() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, message);
        const auto json = parse_json(text.toStdString(), "c.json");
        const auto object = JsonObject::of(*json, "c.json");
        QCOMPARE(message_of(object->integer("n", 1, 100)), message);
    }

    void getters_read_what_is_right() {
        const Json json = *parse_json(
            R"({"i": 7, "x": 1e-5, "b": true, "s": "t", "o": {"f": 2, "bad": "y"}, "l": [1, 2], "z": null})",
            "c");
        const JsonObject object = *JsonObject::of(json, "c");
        QCOMPARE(*object.integer("i", 7, 7), int64_t{7});
        QCOMPARE(*object.number("i", 0, 10), 7.0);
        QCOMPARE(*object.number("x", 0, 1), 1e-5);
        QCOMPARE(*object.boolean("b"), true);
        QCOMPARE(*object.string("s"), "t"s);
        QCOMPARE(*object.object("o")->integer("f", 0, 9), int64_t{2});
        QCOMPARE(*object.integers_or_none("l", 0, 9), (std::vector<int64_t>{1, 2}));
        QCOMPARE(*object.integers_or_none("i", 0, 9), (std::vector<int64_t>{7}));
        QVERIFY(object.integers_or_none("z", 0, 9)->empty());
        QCOMPARE(*object.integer_or("z", 5, 0, 9), int64_t{5});
        QCOMPARE(*object.string_or("none", "d"), "d"s);
        QCOMPARE(message_of(object.integer_or("s", 5, 0, 9)),
                 QByteArray("c: s: must be an integer, not a string"));
        QCOMPARE(message_of(object.object("o")->number("bad", 0, 1)),
                 QByteArray("c: o.bad: must be a number, not a string"));
        QCOMPARE(message_of(object.integers_or_none("l", 0, 1)),
                 QByteArray("c: l: 2 is outside 0 to 1"));
        QCOMPARE(message_of(object.object("l")),
                 QByteArray("c: l: must be an object, not an array"));
        QCOMPARE(message_of(JsonObject::of(json.at("l"), "c")),
                 QByteArray("c: must be an object, not an array"));
    }
};

QTEST_APPLESS_MAIN(TestJson)
#include "tst_json.moc"
