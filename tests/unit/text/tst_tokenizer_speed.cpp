// SPDX-License-Identifier: GPL-3.0-or-later
// A megabyte takes less than a second, whatever is in it: no text makes a tokenizer slow.
#include <QtTest>
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
        EncodeOptions options;
        options.control = EncodeOptions::Control::everywhere;
        const std::string bytes = text.toStdString();
        double encoding = limit, decoding = limit;
        // The best of three: a machine that does something else beside has slower caches.
        for (int run = 0; run < 3 && std::max(encoding, decoding) >= limit; ++run) {
            const double start = cpu_seconds();
            const auto ids = (*tokenizer)->encode(bytes, options);
            encoding = cpu_seconds() - start;
            const std::string decoded = (*tokenizer)->decode(ids);
            decoding = cpu_seconds() - start - encoding;
        }
        QVERIFY2(
            encoding < limit && decoding < limit,
            qPrintable(
                QString("encoding %1 s, decoding %2 s of CPU time").arg(encoding).arg(decoding)));
    }
};

QTEST_APPLESS_MAIN(TestTokenizerSpeed)
#include "tst_tokenizer_speed.moc"
