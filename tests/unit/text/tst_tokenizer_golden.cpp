// SPDX-License-Identifier: GPL-3.0-or-later
// Every tokenizer against what Python's tokenizers and sentencepiece make of the same texts.
#include <QTest>
#include <fstream>

#include "core/base/json.h"
#include "core/model/gguf.h"
#include "core/model/gguf_model.h"
#include "core/text/tokenizer.h"
#include "tests/support/models.h"
#include "tests/unit/text/golden_texts.h"

using namespace lockstep;

namespace {

const std::string folder = LOCKSTEP_SOURCE_DIR "/tests/golden/tokenizer/";
constexpr size_t texts_for_each_kind = 3000;

struct Golden {
    std::vector<std::string> specials;
    struct Line {
        uint32_t ids = 0, bytes = 0;  // hashes
        std::string ids_in_full;      // of the text with control tokens, or empty
    };
    std::vector<Line> lines;
};

Golden read_golden(const std::string& kind) {
    Golden golden;
    std::ifstream file(folder + kind + ".golden");
    std::string text;
    std::getline(file, text);
    const auto specials = parse_json(text, kind);
    if (!specials) return golden;
    golden.specials = specials->get<std::vector<std::string>>();
    while (std::getline(file, text)) {
        std::istringstream words(text);
        Golden::Line line;
        words >> std::hex >> line.ids >> line.bytes >> line.ids_in_full;
        golden.lines.push_back(line);
    }
    return golden;
}

uint32_t fnv1a(uint32_t hash, std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x01000193u;
    return hash;
}
constexpr uint32_t fnv1a_start = 0x811c9dc5u;

uint32_t hash_ids(const std::vector<int32_t>& plain, const std::vector<int32_t>& control) {
    const auto bytes = [](const std::vector<int32_t>& ids) {
        return std::string_view(reinterpret_cast<const char*>(ids.data()),
                                ids.size() * sizeof(int32_t));
    };
    return fnv1a(fnv1a(fnv1a(fnv1a_start, bytes(plain)), bytes({-1})), bytes(control));
}

struct Result3 {
    std::vector<int32_t> plain, control;
    std::string hidden, shown;
};

Result3 run(const Tokenizer& tokenizer, const std::string& text) {
    EncodeOptions with_control;
    with_control.control = EncodeOptions::Control::everywhere;
    with_control.add_special = true;
    Result3 result;
    result.plain = tokenizer.encode(text, {});
    result.control = tokenizer.encode(text, with_control);
    result.hidden = tokenizer.decode(result.control);
    // The sentencepiece package never shows control tokens.
    if (tokenizer.kind() != "sentencepiece") result.shown = tokenizer.decode(result.control, true);
    return result;
}

QString join(const std::vector<int32_t>& ids) {
    QStringList numbers;
    for (const int32_t id : ids) numbers << QString::number(id);
    return numbers.join(",");
}

QByteArray clipped(const std::string& text) {
    return QByteArray::fromStdString(text).left(400).toPercentEncoding(" <>|/!\"#$&'()*+,:;=?@[]");
}

// What differs, as a person can read it; empty where nothing does.
QString difference(const Golden::Line& expected, const Result3& result) {
    if (!expected.ids_in_full.empty() && join(result.control) != expected.ids_in_full.c_str())
        return QString("ids %1\nexpected %2")
            .arg(join(result.control), expected.ids_in_full.c_str());
    if (hash_ids(result.plain, result.control) != expected.ids)
        return QString("ids differ: %1\nwith control tokens %2")
            .arg(join(result.plain).left(2000), join(result.control).left(2000));
    const uint32_t bytes = fnv1a(fnv1a(fnv1a(fnv1a_start, result.hidden), "\xff"), result.shown);
    if (bytes != expected.bytes)
        return QString("decoded bytes differ: ") + clipped(result.hidden) +
               "\nwith control tokens " + clipped(result.shown);
    return {};
}

void compare(const std::string& kind, const Tokenizer& tokenizer) {
    const Golden golden = read_golden(kind);
    QCOMPARE(golden.lines.size(), texts_for_each_kind);
    int wrong = 0;
    for (size_t seed = 0; seed < golden.lines.size(); ++seed) {
        const std::string text = golden_text(seed, golden.specials);
        const QString what = difference(golden.lines[seed], run(tokenizer, text));
        if (what.isEmpty()) continue;
        if (++wrong <= 3)
            qWarning().noquote() << "text" << seed << clipped(text) << "\n"
                                 << what << "\nexpected: make_goldens.py --show" << kind.c_str()
                                 << seed;
    }
    QVERIFY2(wrong == 0, qPrintable(QString("%1: %2 of %3 texts differ")
                                        .arg(kind.c_str())
                                        .arg(wrong)
                                        .arg(texts_for_each_kind)));
}

void compare_gguf(const std::string& kind, const std::filesystem::path& path) {
    const auto file = GgufFile::open(path);
    QVERIFY2(file, file ? "" : file.error().message.c_str());
    const auto vocabulary = gguf_vocabulary(file->metadata());
    QVERIFY2(vocabulary, vocabulary ? "" : vocabulary.error().message.c_str());
    const auto tokenizer = make_tokenizer(*vocabulary);
    QVERIFY2(tokenizer, tokenizer ? "" : tokenizer.error().message.c_str());
    compare(kind, **tokenizer);
}

}  // namespace

class TestTokenizerGolden : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void small_ones_agree_data() {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"gpt2", "smollm", "qwen2", "llama3", "llama2", "llama2_metaspace",
                                 "mixed", "sentencepiece_bpe", "sentencepiece_unigram"})
            QTest::newRow(kind) << kind;
    }
    void small_ones_agree() {
        QFETCH(QString, kind);
        const auto tokenizer = load_tokenizer(folder + kind.toStdString());
        QVERIFY2(tokenizer, tokenizer ? "" : tokenizer.error().message.c_str());
        compare(kind.toStdString(), **tokenizer);
    }

    void the_default_model_agrees() {
        LOCKSTEP_NEED_MODEL(path, default_model());
        compare_gguf("smollm2", path);
    }
    void a_real_qwen2_agrees() {
        LOCKSTEP_NEED_MODEL(path, qwen2_model());
        compare_gguf("qwen2.5", path);
    }
    void a_real_sentencepiece_vocabulary_agrees() {
        const auto path = test::environment_path("LOCKSTEP_PHI3_VOCAB");
        if (!test::is_file(path))
            QSKIP("LOCKSTEP_PHI3_VOCAB does not name Phi-3's vocabulary (GGUF)");
        compare_gguf("phi-3", path);
    }

    // The checker is checked: one wrong id, one wrong byte, must not pass.
    void a_wrong_answer_is_seen() {
        const Golden golden = read_golden("llama3");
        const auto tokenizer = load_tokenizer(folder + "llama3");
        QVERIFY(tokenizer);
        for (const size_t seed : {0, 1, 499}) {
            const Result3 right = run(**tokenizer, golden_text(seed, golden.specials));
            QCOMPARE(difference(golden.lines[seed], right), QString());
            Result3 wrong = right;
            wrong.plain.push_back(0);
            QVERIFY(!difference(golden.lines[seed], wrong).isEmpty());
            wrong = right;
            wrong.control.back() ^= 1;
            QVERIFY(!difference(golden.lines[seed], wrong).isEmpty());
            wrong = right;
            wrong.hidden += ' ';
            QVERIFY(!difference(golden.lines[seed], wrong).isEmpty());
        }
    }
};

QTEST_APPLESS_MAIN(TestTokenizerGolden)
#include "tst_tokenizer_golden.moc"
