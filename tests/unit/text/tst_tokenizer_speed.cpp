// SPDX-License-Identifier: GPL-3.0-or-later
// A megabyte takes less than a second, whatever is in it: no text makes a tokenizer slow. Where it
// takes longer (the library's million bytes that are no UTF-8; a machine with little to give), it
// is at least in proportion: a quarter of the text takes a quarter of the time.
#include <QTest>
#include <ctime>

#include "core/base/random.h"
#include "core/text/tokenizer.h"

using namespace lockstep;

namespace {

constexpr size_t megabyte = 1'000'000;

// Of this thread alone, so that a busy machine does not count.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr double limit = 30;  // built to find faults, not to be fast
#else
constexpr double limit = 1;
#endif

std::string repeated(std::string_view unit) {
    std::string text;
    while (text.size() < megabyte) text += unit;
    return text;
}

std::string random_bytes(uint64_t first, uint64_t count) {
    Random random(7);
    std::string text;
    for (size_t i = 0; i < megabyte; ++i) text += static_cast<char>(first + random.next() % count);
    return text;
}

std::vector<std::pair<const char*, std::string>> long_texts() {
    std::string marks = "a";
    while (marks.size() < megabyte) marks += "\u0301\u0316";
    return {
        {"one letter", repeated("a")},
        {"random letters", random_bytes('a', 26)},
        {"random bytes", random_bytes(0, 256)},
        {"prose", repeated("The quick brown fox jumps over the lazy dog; it's 12345 times.\n")},
        {"spaces", repeated(" ")},
        {"newlines", repeated("\n")},
        {"spaces and newlines", repeated(" \n")},
        {"digits", repeated("1")},
        {"punctuation", repeated("!")},
        {"Chinese", repeated("\u6f22\u5b57")},
        {"emoji", repeated("\U0001f600")},
        {"marks in wrong order", marks},
        {"control tokens", repeated("<|eot_id|>")},
        {"beginnings of control tokens", repeated("<|<|reserved_special_token_")},
        {"NUL", std::string(megabyte, '\0')},
        {"0xFF", std::string(megabyte, '\xff')},
    };
}

struct Times {
    double encoding = 0, decoding = 0;
};

// Until both are below the limit: a machine that does something else beside has slower caches.
Times best_of_three(const Tokenizer& tokenizer, const std::string& bytes) {
    EncodeOptions options;
    options.control = EncodeOptions::Control::everywhere;
    Times best{1e9, 1e9};
    for (int run = 0; run < 3 && std::max(best.encoding, best.decoding) >= limit; ++run) {
        const double start = cpu_seconds();
        const auto ids = tokenizer.encode(bytes, options);
        const double encoded = cpu_seconds();
        const std::string decoded = tokenizer.decode(ids);
        best.encoding = std::min(best.encoding, encoded - start);
        best.decoding = std::min(best.decoding, cpu_seconds() - encoded);
    }
    return best;
}

// Of a whole and of its quarter, a time that grows with the square would be sixteen times as long.
// most: beyond so much it is too slow, in proportion or not.
bool in_proportion(double whole, double quarter, double most) {
    return whole < limit || (whole < most && whole < 6 * quarter);
}
constexpr double most_encoding = 2 * limit, most_decoding = 10 * limit;

}  // namespace

class TestTokenizerSpeed : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_megabyte_takes_less_than_a_second_data() {
        QTest::addColumn<QString>("kind");
        QTest::addColumn<QByteArray>("text");
        for (const char* kind : {"smollm", "qwen2", "llama3", "llama2", "sentencepiece_bpe"})
            for (const auto& [name, text] : long_texts())
                QTest::addRow("%s: %s", kind, name) << kind << QByteArray::fromStdString(text);
    }
    void a_megabyte_takes_less_than_a_second() {
        QFETCH(QString, kind);
        QFETCH(QByteArray, text);
        const std::string folder =
            LOCKSTEP_SOURCE_DIR "/tests/golden/tokenizer/" + kind.toStdString();
        const auto tokenizer = load_tokenizer(folder);
        QVERIFY(tokenizer);
        const std::string bytes = text.toStdString();
        // A machine may be slower while it does the whole than while it does the quarter, but not
        // each time.
        bool right = false;
        for (int round = 0; round < 3 && !right; ++round) {
            const Times whole = best_of_three(**tokenizer, bytes);
            if (whole.encoding < limit && whole.decoding < limit) return;
            const Times quarter = best_of_three(**tokenizer, bytes.substr(0, bytes.size() / 4));
            qInfo("encoding %g s, decoding %g s of CPU time, of a quarter %g and %g",
                  whole.encoding, whole.decoding, quarter.encoding, quarter.decoding);
            right = in_proportion(whole.encoding, quarter.encoding, most_encoding) &&
                    in_proportion(whole.decoding, quarter.decoding, most_decoding);
        }
        QVERIFY2(right, "neither within a second nor in proportion (see above)");
    }
    void what_is_not_in_proportion_is_told() {
        QVERIFY(in_proportion(0.9 * limit, 0.01 * limit, most_encoding));
        QVERIFY(in_proportion(1.2 * limit, 0.3 * limit, most_encoding));
        QVERIFY(!in_proportion(1.2 * limit, 0.1 * limit, most_encoding));
        QVERIFY(!in_proportion(4.4 * limit, 1.1 * limit, most_encoding));
        QVERIFY(in_proportion(4.4 * limit, 1.1 * limit, most_decoding));
        QVERIFY(!in_proportion(12 * limit, 3 * limit, most_decoding));
    }
};

QTEST_APPLESS_MAIN(TestTokenizerSpeed)
#include "tst_tokenizer_speed.moc"
