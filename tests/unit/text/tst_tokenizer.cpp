// SPDX-License-Identifier: GPL-3.0-or-later
// What every tokenizer promises, on a vocabulary small enough to see: the 256 bytes, a few merges,
// and tokens that were added.
#include <QTest>

#include "core/text/bpe_model.h"
#include "core/text/tokenizer.h"

using namespace lockstep;
using Control = EncodeOptions::Control;

namespace {

constexpr int32_t byte_count = 256;

Vocabulary small_vocabulary() {
    Vocabulary vocabulary;
    vocabulary.model = "gpt2";
    vocabulary.pre = "gpt-2";
    for (const std::string& letter : byte_alphabet()) vocabulary.tokens.push_back(letter);
    vocabulary.types.assign(byte_count, TokenType::normal);
    const auto add = [&](const std::string& token, TokenType type) {
        vocabulary.tokens.push_back(token);
        vocabulary.types.push_back(type);
    };
    const auto merge = [&](const std::string& left, const std::string& right) {
        add(left + right, TokenType::normal);
        vocabulary.merges.push_back(left + " " + right);
    };
    merge("a", "b");
    merge("ab", "c");
    merge("Ġ", "a");
    add("<|end|>", TokenType::control);
    add("<|end|>x", TokenType::control);
    add("<tool>", TokenType::user_defined);
    vocabulary.bos_token_id = vocabulary.eos_token_id = byte_count + 3;
    return vocabulary;
}

std::unique_ptr<const Tokenizer> small_tokenizer() {
    auto tokenizer = make_tokenizer(small_vocabulary());
    return tokenizer ? std::move(*tokenizer) : nullptr;
}

// "ab|c|<|end|>": as a person reads it, control tokens doubly marked.
QString pieces(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
    QStringList names;
    for (const int32_t id : ids) {
        const std::string_view piece = tokenizer.piece(id);
        const QString name = QString::fromUtf8(piece.data(), static_cast<qsizetype>(piece.size()));
        names << (tokenizer.is_control(id) ? "{" + name + "}" : name);
    }
    return names.join("|");
}

}  // namespace

class TestTokenizer : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void merges_by_rank_within_pieces_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("expected");
        QTest::newRow("empty") << QByteArray() << QString();
        QTest::newRow("merge of merges") << QByteArray("abc") << "abc";
        QTest::newRow("left over") << QByteArray("aabcb") << "a|abc|b";
        QTest::newRow("space belongs to the word") << QByteArray("ab ab") << "ab|Ġ|ab";
        QTest::newRow("space and word") << QByteArray("ab ac") << "ab|Ġa|c";
        QTest::newRow("piece border") << QByteArray("a!b") << "a|!|b";
        QTest::newRow("NUL") << QByteArray("\0", 1) << "Ā";
        QTest::newRow("invalid UTF-8 is U+FFFD") << QByteArray("\xff") << "ï|¿|½";
        QTest::newRow("one U+FFFD for a cut sequence") << QByteArray("\xe2\x82") << "ï|¿|½";
    }
    void merges_by_rank_within_pieces() {
        QFETCH(QByteArray, text);
        QFETCH(QString, expected);
        const auto tokenizer = small_tokenizer();
        QCOMPARE(pieces(*tokenizer, tokenizer->encode(text.toStdString(), {})), expected);
    }

    void typed_text_never_becomes_control_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("control");
        QTest::addColumn<int>("first");  // of what was typed
        QTest::addColumn<int>("last");
        QTest::addColumn<QString>("expected");
        const int nowhere = static_cast<int>(Control::nowhere);
        const int everywhere = static_cast<int>(Control::everywhere);
        const int outside = static_cast<int>(Control::outside_input);
        const QString typed = "<|||e|n|d|||>";
        QTest::newRow("nowhere") << QByteArray("<|end|>") << nowhere << 0 << 0 << typed;
        QTest::newRow("everywhere") << QByteArray("<|end|>") << everywhere << 0 << 0 << "{<|end|>}";
        QTest::newRow("longest") << QByteArray("<|end|>x") << everywhere << 0 << 0 << "{<|end|>x}";
        QTest::newRow("in input") << QByteArray("<|end|>") << outside << 0 << 7 << typed;
        QTest::newRow("around input")
            << QByteArray("<|end|>ab<|end|>") << outside << 7 << 9 << "{<|end|>}|ab|{<|end|>}";
        QTest::newRow("begun in input") << QByteArray("<|end|>") << outside << 0 << 2 << typed;
        QTest::newRow("ended in input") << QByteArray("<|end|>") << outside << 5 << 7 << typed;
        // Typing an x behind a control token must not make it another one.
        QTest::newRow("lengthened by input")
            << QByteArray("<|end|>x") << outside << 7 << 8 << "{<|end|>}|x";
        QTest::newRow("behind invalid bytes")
            << QByteArray("\xff\xff<|end|>") << outside << 0 << 2 << "ï|¿|½|ï|¿|½|{<|end|>}";
        QTest::newRow("an added token is no control token")
            << QByteArray("<tool>") << nowhere << 0 << 0 << "<tool>";
    }
    void typed_text_never_becomes_control() {
        QFETCH(QByteArray, text);
        QFETCH(int, control);
        QFETCH(int, first);
        QFETCH(int, last);
        QFETCH(QString, expected);
        const std::array<TextRange, 1> input{
            TextRange{static_cast<size_t>(first), static_cast<size_t>(last)}};
        EncodeOptions options;
        options.control = static_cast<Control>(control);
        options.input = input;
        const auto tokenizer = small_tokenizer();
        QCOMPARE(pieces(*tokenizer, tokenizer->encode(text.toStdString(), options)), expected);
    }

    void control_tokens_are_hidden_unless_shown() {
        const auto tokenizer = small_tokenizer();
        const auto ids = tokenizer->encode("ab<|end|>", {.control = Control::everywhere});
        QCOMPARE(tokenizer->decode(ids), std::string("ab"));
        QCOMPARE(tokenizer->decode(ids, true), std::string("ab<|end|>"));
        QCOMPARE(tokenizer->token_bytes(ids.back()), std::string());
        QCOMPARE(tokenizer->token_bytes(ids.back(), true), std::string("<|end|>"));
    }

    void ids_beyond_the_vocabulary_are_nothing() {
        const auto tokenizer = small_tokenizer();
        for (const int32_t id : {-1, tokenizer->vocab_size(), INT32_MAX, INT32_MIN}) {
            QCOMPARE(tokenizer->token_bytes(id, true), std::string());
            QVERIFY(tokenizer->piece(id).empty());
            QVERIFY(!tokenizer->is_control(id));
            QCOMPARE(tokenizer->decode(std::array{id}, true), std::string());
        }
    }

    void bos_and_eos_come_as_the_model_says() {
        Vocabulary vocabulary = small_vocabulary();
        vocabulary.add_bos_token = vocabulary.add_eos_token = true;
        const auto tokenizer = make_tokenizer(vocabulary);
        QVERIFY(tokenizer);
        const auto ids = (*tokenizer)->encode("ab", {.add_special = true});
        QCOMPARE(pieces(**tokenizer, ids), QString("{<|end|>}|ab|{<|end|>}"));
        QCOMPARE((*tokenizer)->encode("ab", {}).size(), size_t{1});
    }
};

QTEST_APPLESS_MAIN(TestTokenizer)
#include "tst_tokenizer.moc"
