// SPDX-License-Identifier: GPL-3.0-or-later
// Traces are written to the documented format and read without trust.
#include "tests/unit/inspect/trace_fixture.h"

using namespace lockstep;
using namespace lockstep::test;

using Change = std::function<void(TraceFile&)>;
Q_DECLARE_METATYPE(Change)

class TestTrace : public QObject, private TraceFixture {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase() { QVERIFY(model_); }

    void names_are_read_as_they_are_written_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("known");
        const auto row = [](const char* name, bool known) { QTest::newRow(name) << name << known; };
        for (const char* name :
             {"pass.0.embed.hidden", "pass.12.logits", "pass.1.normed", "pass.0.layers.0.normed",
              "pass.0.layers.29.normed_attn", "pass.0.layers.3.q", "pass.0.layers.3.k_pre_rope",
              "pass.7.layers.3.attn", "pass.7.layers.3.mlp", "pass.7.layers.3.hidden_attn"})
            row(name, true);
        for (const char* name :
             {"", "pass", "pass.", "pass.0", "pass.0.", "pass.x.logits", "pass.-1.logits",
              "pass.00.logits", "pass.01.logits", "pass.99999999999.logits", "pass.0.logits.",
              "pass.0.layers.q", "pass.0.layers.0.", "pass.0.layers.0.what",
              "pass.0.layers.0.logits", "pass.0.hidden", "model.layers.0.q", "pass.0.layers.0.q.0",
              "passe.0.logits"})
            row(name, false);
    }
    void names_are_read_as_they_are_written() {
        QFETCH(QString, name);
        QFETCH(bool, known);
        const auto found = parse_trace_name(name.toStdString());
        QCOMPARE(found.has_value(), known);
        if (found)
            QCOMPARE(QString::fromStdString(
                         trace_name(found->pass, found->layer, found->step, found->tap)),
                     name);
    }

    void a_trace_holds_every_tap_in_its_shape() {
        capture(path("reference"), model_);
        const TraceFile trace = TraceFile::read(file());
        const std::map<std::string, std::vector<int64_t>> expected{
            {"pass.0.embed.hidden", {7, 100}},
            {"pass.0.layers.1.normed", {7, 100}},
            {"pass.0.layers.1.q_pre_rope", {7, 7, 32}},
            {"pass.0.layers.1.k_pre_rope", {7, 1, 32}},
            {"pass.0.layers.1.q", {7, 7, 32}},
            {"pass.0.layers.1.k", {7, 1, 32}},
            {"pass.0.layers.1.v", {7, 1, 32}},
            {"pass.0.layers.1.attn", {7, 224}},
            {"pass.0.layers.1.hidden_attn", {7, 100}},
            {"pass.0.layers.1.normed_attn", {7, 100}},
            {"pass.0.layers.1.mlp", {7, 172}},
            {"pass.0.layers.1.hidden", {7, 100}},
            {"pass.0.normed", {7, 100}},
            {"pass.0.logits", {7, 203}},
            {"pass.3.layers.0.k", {1, 1, 32}},
            {"pass.3.logits", {1, 203}}};
        for (const auto& [name, shape] : expected) {
            QVERIFY2(trace.tensors.contains(name), name.c_str());
            QCOMPARE(trace.tensors.at(name).shape, shape);
        }
        QCOMPARE(trace.tensors.size(), size_t{4 * (1 + 2 * 11 + 2)});
        QCOMPARE(trace.metadata.at("prompt_ids"), std::string("[3,14,15,92,65,35,89]"));
        QCOMPARE(trace.metadata.at("model"), std::string("qwen2-gqa7-tied"));
        QCOMPARE(trace.metadata.at("path"), std::string("reference"));
        QCOMPARE(trace.metadata.at("dtype"), std::string("bf16"));
        // No two layers or passes hold the same.
        std::set<std::string> seen;
        for (const auto& [name, stored] : trace.tensors) {
            if (name.ends_with(".hidden") && name.find("layers") != name.npos)
                QVERIFY2(seen.insert(stored.bytes).second, name.c_str());
        }
    }

    void tokens_of_decode_steps_come_from_the_logits_where_nothing_else_says() {
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        const std::string said = trace.metadata["decode_ids"];
        trace.metadata.erase("decode_ids");
        trace.write(file());
        const auto opened = Trace::open(file());
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
        QCOMPARE(Json((*opened)->decode_ids()).dump(), said);
        QCOMPARE(outcome(model_), std::string("match"));
    }

    void forced_ids_are_fed_and_written() {
        capture(path("fused"), model_, {9, 8, 7});
        QCOMPARE(TraceFile::read(file()).metadata.at("decode_ids"), std::string("[9,8,7]"));
        QCOMPARE(outcome(model_), std::string("match"));
    }

    void only_as_many_decode_steps_as_asked_for() {
        capture(path("fused"), model_);
        CompareRequest request = request_of(model_, *Trace::open(file()));
        request.decode_steps = 1;
        QCOMPARE(compare_paths(request)->passes.size(), size_t{2});
        request.decode_steps = 4;
        const auto refused = compare_paths(request);
        QVERIFY(refused.error().message.find("has 3 decode steps, not 4") != std::string::npos);
    }

    void what_does_not_fit_is_refused_data() {
        QTest::addColumn<Change>("change");
        QTest::addColumn<QByteArray>("complaint");
        const auto row = [](const char* name, const Change& change, const char* complaint) {
            QTest::newRow(name) << change << QByteArray(complaint);
        };
        const auto set = [](const char* key, const char* value) -> Change {
            return [key, value](TraceFile& t) { t.metadata[key] = value; };
        };
        const auto reshape = [](const char* name, std::vector<int64_t> shape) -> Change {
            return [name, shape](TraceFile& t) {
                auto& stored = t.tensors[name];
                int64_t count = 1;
                for (const int64_t size : shape) count *= size;
                stored = {DType::bf16, shape, std::string(static_cast<size_t>(2 * count), '\0')};
            };
        };
        row(
            "no prompt_ids", [](TraceFile& t) { t.metadata.erase("prompt_ids"); },
            "metadata has no prompt_ids");
        row(
            "no dtype", [](TraceFile& t) { t.metadata.erase("dtype"); }, "metadata has no dtype");
        row("an unknown dtype", set("dtype", "int8"), "takes bf16, fp16 or fp32, not \"int8\"");
        row("another dtype", set("dtype", "fp16"), "coarser than the fp16");
        row("prompt_ids no JSON", set("prompt_ids", "[1,"), "metadata prompt_ids");
        row("prompt_ids no array", set("prompt_ids", "7"), "not a JSON array of token ids");
        row("prompt_ids with words", set("prompt_ids", "[\"a\"]"), "not a JSON array of token ids");
        row("prompt_ids negative", set("prompt_ids", "[-1]"), "not a JSON array of token ids");
        row("prompt_ids empty", set("prompt_ids", "[]"), "no tokens");
        row("another prompt's length", set("prompt_ids", "[1,2,3]"), "prompt_ids has 3 tokens");
        row("a larger vocabulary's token", set("prompt_ids", "[1,2,3,4,5,6,203]"),
            "of another model: token 203 is outside the vocabulary");
        row("too few decode_ids", set("decode_ids", "[1]"), "tensors of pass 3");
        row("a larger vocabulary's decode id", set("decode_ids", "[1,2,999]"), "token 999");
        row("more layers", reshape("pass.0.layers.2.hidden", {7, 100}),
            "of another model: tensor pass.0.layers.2.hidden: qwen2-gqa7-tied has the layers 0 to "
            "1");
        row("other heads", reshape("pass.0.layers.0.q", {7, 14, 32}),
            "tensor pass.0.layers.0.q: its shape is [7, 14, 32], but qwen2-gqa7-tied makes [7, 7, "
            "32]");
        row("flat heads", reshape("pass.0.layers.0.k", {7, 32}), "its shape is [7, 32]");
        row("a batch dimension", reshape("pass.0.layers.0.hidden", {1, 7, 100}), "[1, 7, 100]");
        row("another hidden_size", reshape("pass.0.embed.hidden", {7, 96}), "makes [7, 100]");
        row("rows of a decode step", reshape("pass.1.layers.0.mlp", {2, 172}), "makes [1, 172]");
        row("logits of some rows", reshape("pass.0.logits", {3, 203}),
            "makes [7, 203], or one row");
        row("no rows", reshape("pass.0.logits", {0, 203}), "its shape is [0, 203]");
        row("no dimensions", reshape("pass.0.layers.0.hidden", {}), "its shape is []");
        row(
            "no known tensor",
            [](TraceFile& t) {
                const auto one = t.tensors.begin()->second;
                t.tensors = {{"model.layers.0.hidden", one}};
            },
            "has a name of the format");
        row(
            "another model's embeddings",
            [](TraceFile& t) {
                t.metadata["model"] = "other";
                std::string& bytes = t.tensors.at("pass.0.embed.hidden").bytes;
                std::rotate(bytes.begin(), bytes.begin() + 2, bytes.end());
            },
            "of another model: it says it is of other, not qwen2-gqa7-tied");
        row(
            "another name and nothing that tells",
            [](TraceFile& t) {
                t.metadata["model"] = "other";
                t.tensors.erase("pass.0.embed.hidden");
            },
            "of another model?");
        row(
            "decode steps of unknown tokens",
            [](TraceFile& t) {
                t.metadata.erase("decode_ids");
                t.tensors.erase("pass.1.logits");
            },
            "pass.1.logits say which token that was fed");
        row(
            "nothing but what no path makes alike",
            [](TraceFile& t) {
                std::erase_if(t.tensors, [](const auto& entry) {
                    return entry.first.find(".0.embed") == entry.first.npos;
                });
                t.tensors["pass.0.layers.0.normed"] = {
                    DType::bf16, {7, 99}, std::string(7 * 99 * 2, 'x')};
            },
            "makes [7, 100]");
    }
    void what_does_not_fit_is_refused() {
        QFETCH(Change, change);
        QFETCH(QByteArray, complaint);
        capture(path("fused"), model_);
        TraceFile trace = TraceFile::read(file());
        change(trace);
        trace.write(file());
        const std::string said = outcome(model_);
        QVERIFY2(said.starts_with("error: trace " + file().string()), said.c_str());
        QVERIFY2(said.find(complaint.toStdString()) != std::string::npos, said.c_str());
        QVERIFY2(said.find('\n') == std::string::npos, said.c_str());
    }

    // Cut at every kind of place; a byte of the header changed. Never a crash, mostly an error.
    void damaged_files_are_refused() {
        capture(path("fused"), model_);
        const auto mapped = MappedFile::open(file());
        const std::string whole(mapped->text());
        uint64_t header = 0;
        std::memcpy(&header, whole.data(), sizeof header);
        for (const size_t length : {size_t{0}, size_t{7}, size_t{8}, size_t{100},
                                    size_t(header) + 7, size_t(header) + 8, whole.size() - 1}) {
            QVERIFY(write_whole_file(file("cut"), std::string_view(whole).substr(0, length))
                        .has_value());
            const auto opened = Trace::open(file("cut"));
            QVERIFY2(!opened.has_value(), std::to_string(length).c_str());
            QVERIFY(opened.error().message.starts_with("trace: " + file("cut").string()));
        }
        QVERIFY(!Trace::open(file("none")).has_value());
        QVERIFY(!Trace::open(folder_.path().toStdString()).has_value());
        for (size_t at = 8; at < 8 + header; at += 13) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ 0x11);
            QVERIFY(write_whole_file(file("changed"), changed).has_value());
            const auto opened = Trace::open(file("changed"));
            if (opened) (void)(*opened)->check_against(*model_);
        }
    }
};

QTEST_APPLESS_MAIN(TestTrace)
#include "tst_trace.moc"
