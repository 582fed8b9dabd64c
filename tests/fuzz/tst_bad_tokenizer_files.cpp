// SPDX-License-Identifier: GPL-3.0-or-later
// sentencepiece models that are wrong by hand, and tokenizer files with damage: none crashes or
// hangs.
#include <functional>

#include "core/base/random.h"
#include "core/text/protobuf_wire.h"
#include "core/text/sentencepiece_model.h"
#include "tests/fuzz/bad_tokenizer.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// Parts of a charsmap's units.
constexpr uint32_t is_value = 0x80000000u, has_value = 0x100;
constexpr uint32_t offset(uint32_t value) {
    return value << 10;
}

// A charsmap of one block of units; the children of the first begin at 0x80.
std::string charsmap(const std::function<void(std::vector<uint32_t>&)>& edit,
                     const std::string& replacements = std::string("x\0", 2)) {
    std::vector<uint32_t> units(256, is_value);  // no way leads to a value
    units[0] = offset(0x80);
    edit(units);
    const auto bytes = static_cast<uint32_t>(units.size() * sizeof(uint32_t));
    std::string map(sizeof bytes + bytes, '\0');
    std::memcpy(map.data(), &bytes, sizeof bytes);
    std::memcpy(map.data() + sizeof bytes, units.data(), bytes);
    return map + replacements;
}

using Edit = std::function<void(SentencePieceModel&)>;

SentencePieceModel good_model_file() {
    return *parse_sentencepiece_model(
        read_file(tokenizer_goldens + "sentencepiece_bpe/tokenizer.model"));
}

}  // namespace

class TestBadTokenizerFiles : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void the_good_one_loads() {
        QCOMPARE(message(load({{"tokenizer.model", serialize(good_model_file())}})), QString());
    }

    void a_sentencepiece_model_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("expected");
        const auto add = [](const char* name, const std::string& bytes, const char* expected) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes) << expected;
        };
        const auto edited = [](const Edit& edit) {
            SentencePieceModel model = good_model_file();
            edit(model);
            return serialize(model);
        };
        using M = SentencePieceModel&;
        const std::string good = serialize(good_model_file());
        add("empty", "", "there are no pieces");
        add("cut off", good.substr(0, good.size() / 2), "cut off");
        add("a length beyond the end", std::string("\x0a\xff\xff\xff\xff\x0f"), "cut off");
        add("a number without end", "\x0a" + std::string(20, '\xff'), "more than 64 bits");
        add("a group", "\x0b", "unknown type 3");
        add("field zero", std::string("\x02\x00", 2), "out of range");
        add("text", "this is not a model at all", "");
        add("pieces of another type", "\x08\x01", "wrong type");
        add("no unknown", edited([](M m) { m.pieces[0].type = TokenType::control; }),
            "there are 0");
        add("two unknowns", edited([](M m) { m.pieces[1].type = TokenType::unknown; }),
            "there are 2");
        add("bytes unannounced", edited([](M m) { m.byte_fallback = false; }),
            "byte_fallback is not set");
        add("255 bytes", edited([](M m) {
                for (auto& piece : m.pieces)
                    if (piece.text == "<0x41>") piece.type = TokenType::unused;
            }),
            "only 255");
        add("a word model", edited([](M m) { m.algorithm = SentencePieceModel::Algorithm::word; }),
            "only unigram and BPE");
        add("user-defined pieces, 100 deep", edited([](M m) {
                for (size_t n = 1; n <= 100; ++n)
                    m.pieces.push_back({std::string(n, '~'), 0, TokenType::user_defined});
            }),
            "user-defined pieces begin alike");
        add("charsmap of two bytes", edited([](M m) { m.charsmap = "ab"; }),
            "precompiled_charsmap");
        add("charsmap: trie longer than it", edited([](M m) {
                m.charsmap = std::string(
                    "\xff\xff\xff\x7f"
                    "abc");
            }),
            "the trie is said to have");
        add("charsmap: trie empty", edited([](M m) { m.charsmap = std::string("\0\0\0\0x\0", 6); }),
            "the trie is empty");
        add("charsmap: out of itself", edited([](M m) {
                m.charsmap = charsmap([](auto& units) { units[0] = offset(1u << 20); });
            }),
            "leads out of itself");
        add("charsmap: replacement not there", edited([](M m) {
                m.charsmap = charsmap([](auto& units) {
                    units[0x80 ^ 'a'] = 'a' | has_value | offset(1);
                    units[0x80 ^ 'a' ^ 1] = is_value | 500;
                });
            }),
            "a replacement is not there");
        add("charsmap: cycle", edited([](M m) {
                // What follows an a is what follows the beginning.
                m.charsmap = charsmap([](auto& units) { units[0x80 ^ 'a'] = 'a' | offset('a'); });
            }),
            "cycle");
        add("charsmap: replacement without end",
            edited([](M m) { m.charsmap = charsmap([](auto&) {}, "x"); }), "does not end");
        add("charsmap: replacement not UTF-8",
            edited([](M m) { m.charsmap = charsmap([](auto&) {}, std::string("\xff\0", 2)); }),
            "not UTF-8");
    }
    void a_sentencepiece_model() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, expected);
        expect_error(load({{"tokenizer.model", bytes.toStdString()}}), expected);
    }

    // Whatever happens to a good file: an error, or a tokenizer that works.
    void damaged_files_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<int>("runs");
        for (const char* kind : {"sentencepiece_bpe", "sentencepiece_unigram"})
            QTest::newRow(kind) << QString(kind) + "/tokenizer.model" << 150;
        for (const char* kind : {"gpt2", "llama3", "llama2", "mixed"})
            QTest::newRow(kind) << QString(kind) + "/tokenizer.json" << 150;
    }
    void damaged_files() {
        QFETCH(QString, file);
        QFETCH(int, runs);
        const std::string good = read_file(tokenizer_goldens + file.toStdString());
        QVERIFY(!good.empty());
        const std::string name = file.section('/', 1).toStdString();
        Random random(11);
        int refused = 0;
        for (int run = 0; run < runs; ++run) {
            std::string damaged = good;
            for (int i = 0; i < 1 + run % 4; ++i)
                damaged[random.next() % damaged.size()] = static_cast<char>(random.next());
            if (run % 10 == 0) damaged.resize(random.next() % damaged.size());
            const auto tokenizer = load({{name, damaged}});
            if (tokenizer)
                use(**tokenizer);
            else
                ++refused;
        }
        QVERIFY(refused > 0);
    }
};

QTEST_APPLESS_MAIN(TestBadTokenizerFiles)
#include "tst_bad_tokenizer_files.moc"
