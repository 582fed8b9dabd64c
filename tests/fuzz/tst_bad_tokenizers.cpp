// SPDX-License-Identifier: GPL-3.0-or-later
// Tokenizers that are not what they should be: each is refused with an error that names what is
// wrong, and nothing crashes, hangs or takes memory that the file does not justify.
#include <QTest>
#include <functional>
#include <limits>

#include "core/text/tokenizer.h"
#include "tests/fuzz/bad_tokenizer.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

Vocabulary good_sentencepiece() {
    Vocabulary vocabulary;
    vocabulary.model = "llama";
    vocabulary.tokens = {"<unk>", "<s>", "</s>", "a", "b", "ab"};
    vocabulary.scores = {0, 0, 0, -3, -4, -1};
    vocabulary.types = {TokenType::unknown, TokenType::control, TokenType::control,
                        TokenType::normal,  TokenType::normal,  TokenType::normal};
    vocabulary.unknown_token_id = 0;
    vocabulary.bos_token_id = 1;
    vocabulary.eos_token_id = 2;
    return vocabulary;
}

Vocabulary good_bpe() {
    Vocabulary vocabulary;
    vocabulary.model = "gpt2";
    vocabulary.pre = "gpt-2";
    vocabulary.tokens = {"a", "b", "ab", "<|end|>"};
    vocabulary.types = {TokenType::normal, TokenType::normal, TokenType::normal,
                        TokenType::control};
    vocabulary.merges = {"a b"};
    return vocabulary;
}

// tokenizer.json with one part exchanged.
std::string json_with(const std::string& model, const std::string& rest = "") {
    return "{" + rest + R"("model": {"type": "BPE", )" + model + "}}";
}
const std::string good_model = R"("vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"])";

std::string json_with_section(const std::string& name, const std::string& section) {
    return json_with(good_model, "\"" + name + "\": " + section + ", ");
}

}  // namespace

Q_DECLARE_METATYPE(lockstep::Vocabulary)
Q_DECLARE_METATYPE(Files)

class TestBadTokenizers : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void the_good_ones_load() {
        QCOMPARE(message(make_tokenizer(good_sentencepiece())), QString());
        QCOMPARE(message(make_tokenizer(good_bpe())), QString());
        QCOMPARE(message(load({{"tokenizer.json", json_with(good_model)}})), QString());
    }

    void a_vocabulary_of_a_gguf_data() {
        QTest::addColumn<Vocabulary>("vocabulary");
        QTest::addColumn<QString>("expected");
        const auto add = [](const char* name, Vocabulary vocabulary, const char* expected,
                            const std::function<void(Vocabulary&)>& edit) {
            edit(vocabulary);
            QTest::newRow(name) << vocabulary << expected;
        };
        using V = Vocabulary&;
        const Vocabulary bpe = good_bpe();
        const Vocabulary sp = good_sentencepiece();
        add("empty", bpe, "tokens is empty", [](V v) { v = Vocabulary(); });
        add("no tokens", bpe, "tokens is empty", [](V v) { v.tokens.clear(); });
        add("unknown model", bpe, "\"gpt2\" (byte-level BPE) and \"llama\"",
            [](V v) { v.model = "t5"; });
        add("unknown pre", bpe, "known are gpt-2, smollm, qwen2, llama-bpe",
            [](V v) { v.pre = "tekken"; });
        add("token not UTF-8", bpe, "tokens[1] is not UTF-8", [](V v) { v.tokens[1] = "\xc3"; });
        add("types too short", bpe, "token_type has 1 values for 4",
            [](V v) { v.types.resize(1); });
        add("scores too long", bpe, "scores has 9 values for 4", [](V v) { v.scores.resize(9); });
        add("BOS out of range", bpe, "bos_token_id 4 is not", [](V v) { v.bos_token_id = 4; });
        add("EOS negative", bpe, "eos_token_id -1 is not", [](V v) { v.eos_token_id = -1; });
        add("BOS wanted, none given", bpe, "bos_token_id is missing",
            [](V v) { v.add_bos_token = true; });
        add("EOS wanted, none given", bpe, "eos_token_id is missing",
            [](V v) { v.add_eos_token = true; });
        add("merge of unknown token", bpe, "merge 0: \"c\"", [](V v) { v.merges = {"a c"}; });
        add("merge to unknown token", bpe, "merge 0: \"ba\"", [](V v) { v.merges = {"b a"}; });
        add("merge without a space", bpe, "merges[0] \"ab\"", [](V v) { v.merges = {"ab"}; });
        add("merge with nothing right", bpe, "merges[0] \"a \"", [](V v) { v.merges = {"a "}; });
        add("empty merge", bpe, "merges[0]", [](V v) { v.merges = {""}; });
        add("token twice", bpe, "\"a\" has two ids, 0 and 1", [](V v) { v.tokens[1] = "a"; });
        add("no scores", sp, "scores is missing", [](V v) { v.scores.clear(); });
        add("score NaN", sp, "pieces[3] has a score",
            [](V v) { v.scores[3] = std::numeric_limits<float>::quiet_NaN(); });
        add("score infinite", sp, "pieces[3] has a score",
            [](V v) { v.scores[3] = -std::numeric_limits<float>::infinity(); });
        add("piece twice", sp, "pieces[4] \"a\" is pieces[3]", [](V v) { v.tokens[4] = "a"; });
        add("empty piece", sp, "pieces[4] is empty", [](V v) { v.tokens[4].clear(); });
        add("piece with NUL", sp, "pieces[4] holds a NUL",
            [](V v) { v.tokens[4] = std::string("a\0b", 3); });
        add("piece of a megabyte", sp, "pieces[4] is longer",
            [](V v) { v.tokens[4] = std::string(1'000'000, 'a'); });
        add("byte piece of another name", sp, "names none",
            [](V v) { v.types[4] = TokenType::byte; });
        add("one byte piece of 256", sp, "only 1 of the 256", [](V v) {
            v.types[4] = TokenType::byte;
            v.tokens[4] = "<0x41>";
        });
        add("no normal piece", sp, "no piece of type normal",
            [](V v) { v.types.assign(v.types.size(), TokenType::control); });
        add("type out of range", sp, "pieces[4] has the type 77",
            [](V v) { v.types[4] = static_cast<TokenType>(77); });
    }
    void a_vocabulary_of_a_gguf() {
        QFETCH(Vocabulary, vocabulary);
        QFETCH(QString, expected);
        expect_error(make_tokenizer(vocabulary), expected);
    }

    void a_folder_data() {
        QTest::addColumn<Files>("files");
        QTest::addColumn<QString>("expected");
        const auto json = [](const char* name, const std::string& text, const char* expected) {
            QTest::newRow(name) << Files{{"tokenizer.json", text}} << expected;
        };
        const auto beside = [](const char* name, const std::string& config, const char* expected) {
            QTest::newRow(name) << Files{{"tokenizer.json", json_with(good_model)},
                                         {"tokenizer_config.json", config}}
                                << expected;
        };
        QTest::newRow("empty folder") << Files() << "neither tokenizer.json nor tokenizer.model";
        json("empty file", "", "tokenizer.json");
        json("not JSON", "hello", "line 1");
        json("not UTF-8", "{\"a\": \"\xff\"}", "tokenizer.json");
        json("an array", "[]", "tokenizer.json");
        json("no model", "{}", "model");
        json("model null", R"({"model": null})", "model");
        json("unigram without sentencepiece", R"({"model": {"type": "Unigram"}})",
             "\"Unigram\" is not supported");
        json("type is a number", R"({"model": {"type": 7}})", "model.type");
        json("no vocab", json_with(R"("merges": [])"), "model.vocab");
        json("vocab empty", json_with(R"("vocab": {}, "merges": [])"), "vocab: is empty");
        json("vocab an array", json_with(R"("vocab": [], "merges": [])"), "model.vocab");
        json("token twice", json_with(R"("vocab": {"a": 0, "a": 1}, "merges": [])"),
             "tokenizer.json");
        json("id twice", json_with(R"("vocab": {"a": 0, "b": 0}, "merges": [])"),
             "id 0 is given to");
        json("id negative", json_with(R"("vocab": {"a": -1}, "merges": [])"),
             "\"a\" has the id -1");
        json("id huge", json_with(R"("vocab": {"a": 2000000000}, "merges": [])"),
             "has the id 2000000000");
        json("id beyond 64 bits",
             json_with(R"("vocab": {"a": 99999999999999999999}, "merges": [])"), "has the id");
        json("id a fraction", json_with(R"("vocab": {"a": 0.5}, "merges": [])"), "has the id 0.5");
        json("id a string", json_with(R"("vocab": {"a": "0"}, "merges": [])"), "has the id");
        json("no merges", json_with(R"("vocab": {"a": 0})"), "model.merges");
        json("merge of three", json_with(R"("vocab": {"a": 0}, "merges": [["a", "a", "a"]])"),
             "merges[0]");
        json("merge of numbers", json_with(R"("vocab": {"a": 0}, "merges": [[1, 2]])"),
             "merges[0]");
        json("merge with two spaces", json_with(R"("vocab": {"a": 0}, "merges": ["a a a"])"),
             "merges[0]");
        json("merge unknown", json_with(R"("vocab": {"a": 0}, "merges": ["a c"])"),
             "\"c\" is not in");
        json("unk_token unknown", json_with(good_model + R"(, "unk_token": "?")"),
             "unk_token \"?\"");
        json("dropout", json_with(good_model + R"(, "dropout": 0.5)"), "dropout");
        json("suffix", json_with(good_model + R"(, "end_of_word_suffix": "</w>")"),
             "end_of_word_suffix");
        json("normalizer unknown", json_with_section("normalizer", R"({"type": "Lowercase"})"),
             "\"Lowercase\" is not supported");
        json("normalizer without type", json_with_section("normalizer", "{}"), "normalizer.type");
        json("sequence without steps",
             json_with_section("normalizer",
                               R"({"type": "Sequence", "normalizers": [{"type": "Sequence"}]})"),
             "normalizers[0]: normalizers");
        json("pre_tokenizer unknown",
             json_with_section("pre_tokenizer", R"({"type": "Whitespace"})"),
             "these are: ByteLevel");
        json(
            "step behind ByteLevel",
            json_with_section(
                "pre_tokenizer",
                R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})"),
            "behind ByteLevel");
        json("pattern missing",
             json_with_section("pre_tokenizer", R"({"type": "Split", "behavior": "Isolated"})"),
             "pattern");
        json("pattern wrong",
             json_with_section(
                 "pre_tokenizer",
                 R"({"type": "Split", "pattern": {"Regex": "*a"}, "behavior": "Isolated"})"),
             "regular expression \"*a\"");
        json("pattern empty",
             json_with_section(
                 "pre_tokenizer",
                 R"({"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated"})"),
             "pattern");
        json(
            "pattern with an intersection",
            json_with_section(
                "pre_tokenizer",
                R"({"type": "Split", "pattern": {"Regex": "[a-z&&[^b]]"}, "behavior": "Isolated"})"),
            "intersections");
        json("behavior unknown",
             json_with_section(
                 "pre_tokenizer",
                 R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Never"})"),
             "\"Never\"");
        json("prepend_scheme unknown",
             json_with_section(
                 "pre_tokenizer",
                 R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})"),
             "prepend_scheme");
        json("decoder unknown", json_with_section("decoder", R"({"type": "WordPiece"})"),
             "\"WordPiece\" is not supported");
        json("strip negative",
             json_with_section("decoder",
                               R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})"),
             "start");
        json("post_processor unknown",
             json_with_section("post_processor", R"({"type": "BertProcessing"})"),
             "\"BertProcessing\" is not supported");
        json("template without text",
             json_with_section(
                 "post_processor",
                 R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})"),
             "exactly once");
        json(
            "template with unknown token",
            json_with_section(
                "post_processor",
                R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {}})"),
            "<s>");
        json(
            "template id out of range",
            json_with_section(
                "post_processor",
                R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"s": {"ids": [99]}}})"),
            "ids");
        json("added token without id", json_with_section("added_tokens", R"([{"content": "x"}])"),
             "added_tokens[0]: id");
        json("added token's id huge",
             json_with_section("added_tokens", R"([{"id": 1000000000, "content": "x"}])"),
             "added_tokens[0]: id");
        json("added token over a token",
             json_with_section("added_tokens", R"([{"id": 1, "content": "x"}])"),
             "id 1 is given to");
        json("added token with two ids",
             json_with_section("added_tokens", R"([{"id": 7, "content": "a"}])"),
             "in the vocabulary");
        json("added token too long",
             json_with_section("added_tokens",
                               "[{\"id\": 7, \"content\": \"" + std::string(5000, 'x') + "\"}]"),
             "longer than 1024");
        json("nested too deep", json_with_section("normalizer", std::string(100'000, '[')),
             "tokenizer.json");
        beside("config an array", "[]", "tokenizer_config.json");
        beside("config's bos_token a number", R"({"bos_token": 7})", "bos_token");
        beside("config's add_bos_token a string", R"({"add_bos_token": "yes"})", "add_bos_token");
        beside("config's added token elsewhere",
               R"({"added_tokens_decoder": {"1": {"content": "x"}}})", "added token \"x\"");
        beside("config's added id no number",
               R"({"added_tokens_decoder": {"one": {"content": "x"}}})", "\"one\" is not an id");
        beside("config's added id huge",
               R"({"added_tokens_decoder": {"99999999999": {"content": "x"}}})", "is not an id");
    }
    void a_folder() {
        QFETCH(Files, files);
        QFETCH(QString, expected);
        expect_error(load(files), expected);
    }

    void a_folder_where_a_file_is_meant() {
        const QTemporaryDir folder;
        QVERIFY(QDir(folder.path()).mkdir("tokenizer.json"));
        expect_error(load_tokenizer(folder.path().toStdString()), "tokenizer.json");
        expect_error(load_tokenizer("/nowhere/at/all"), "/nowhere/at/all");
    }
};

QTEST_APPLESS_MAIN(TestBadTokenizers)
#include "tst_bad_tokenizers.moc"
