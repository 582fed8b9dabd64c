// SPDX-License-Identifier: GPL-3.0-or-later
// A stop string ends the answer wherever token borders run, and costs no other text.
#include <QTest>

#include "core/base/random.h"
#include "core/run/stop_strings.h"

using lockstep::Random;
using lockstep::StopStrings;
using Strings = std::vector<std::string>;

namespace {

// What comes out of `text` cut into pieces of `size` bytes; "|" marks where it stopped.
std::string streamed(const Strings& strings, const std::string& text, size_t size) {
    StopStrings stop(strings);
    std::string out;
    for (size_t at = 0; at < text.size(); at += size)
        out += stop.push(std::string_view(text).substr(at, size));
    return out + (stop.stopped() ? "|" : stop.finish());
}

// The same by looking at every prefix of the text.
std::string looked_up(const Strings& strings, const std::string& text) {
    for (size_t end = 1; end <= text.size(); ++end) {
        size_t longest = 0;
        for (const std::string& s : strings)
            if (!s.empty() && std::string_view(text).substr(0, end).ends_with(s))
                longest = std::max(longest, s.size());
        if (longest > 0) return text.substr(0, end - longest) + "|";
    }
    return text;
}

}  // namespace

class TestStopStrings : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void stops_at_data() {
        QTest::addColumn<Strings>("strings");
        QTest::addColumn<std::string>("text");
        QTest::addColumn<std::string>("expected");
        const auto row = [](const char* name, Strings strings, std::string text,
                            std::string expected) {
            QTest::newRow(name) << std::move(strings) << std::move(text) << std::move(expected);
        };
        row("no strings", {}, "all of it", "all of it");
        row("an empty string stops nothing", {""}, "all", "all");
        row("in the middle", {"END"}, "text END more", "text |");
        row("at the start", {"END"}, "END", "|");
        row("never comes", {"END"}, "EN EN EN", "EN EN EN");
        row("a start that starts again", {"aab"}, "aaaab", "aa|");
        row("a border inside", {"abab!"}, "ababab!", "ab|");
        row("what completes first", {"abcd", "bc"}, "abcd", "a|");
        row("the longest of those complete at once", {"bc", "abc"}, "xabc", "x|");
        row("of two starts, one goes on", {"abx", "bcd"}, "abcd!", "a|");
        row("letters beyond ASCII", {"\xE2\x82\xAC"}, "5 \xE2\x82\xAC each", "5 |");
        row("NUL", {std::string("\0", 1)}, std::string("a\0b", 3), "a|");
        row("newline pair", {"\n\n"}, "a\nb\n\nc", "a\nb|");
    }
    void stops_at() {
        QFETCH(Strings, strings);
        QFETCH(std::string, text);
        QFETCH(std::string, expected);
        for (size_t size = 1; size <= text.size(); ++size)
            QCOMPARE(streamed(strings, text, size), expected);
    }
    void holds_back_only_what_could_become_a_stop_string() {
        StopStrings stop({"</s>"});
        QCOMPARE(stop.push("abc<"), "abc");
        QCOMPARE(stop.push("/"), "");
        QCOMPARE(stop.push("p>"), "</p>");
        QCOMPARE(stop.push("</s"), "");
        QVERIFY(!stop.stopped());
        QCOMPARE(stop.finish(), "</s");
        QCOMPARE(stop.finish(), "");
    }
    void gives_nothing_once_stopped() {
        StopStrings stop({"."});
        QCOMPARE(stop.push("a.b"), "a");
        QVERIFY(stop.stopped());
        QCOMPARE(stop.push("more"), "");
        QCOMPARE(stop.finish(), "");
    }
    // Few letters make many near misses.
    void equals_a_plain_search() {
        Random random(3);
        const auto word = [&random](uint64_t longest) {
            std::string text(1 + random.next() % longest, 'a');
            for (char& c : text) c = "ab"[random.next() % 2];
            return text;
        };
        int stopped = 0;
        for (int i = 0; i < 4000; ++i) {
            const Strings strings{word(6), word(6), word(4)};
            const std::string text = word(24);
            const std::string expected = looked_up(strings, text);
            stopped += expected.ends_with("|");
            for (const size_t size : {1, 2, 5})
                QVERIFY2(streamed(strings, text, size) == expected, text.c_str());
        }
        QVERIFY(stopped > 400 && stopped < 4000);  // else the test looks at one kind only
    }
};

QTEST_APPLESS_MAIN(TestStopStrings)
#include "tst_stop_strings.moc"
