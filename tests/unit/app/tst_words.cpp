// SPDX-License-Identifier: GPL-3.0-or-later
// The program as scripts use it: its words' output, JSON, exit status and complaints.
#include <QJsonArray>
#include <QJsonObject>
#include <QProcess>
#include <QTest>
#include <csignal>

#include "tests/support/models.h"
#include "tests/support/tiny_model.h"

using namespace lockstep::test;

namespace {

struct Ran {
    int status = -1;
    QByteArray out, err;
    // One line, and readable.
    bool complains_of(const char* what) const {
        return status == 2 && err.startsWith("lockstep: ") && err.count('\n') == 1 &&
               err.contains(what);
    }
};

Ran run(const QStringList& arguments, const QByteArray& input = {},
        const QProcessEnvironment* environment = nullptr) {
    QProcess process;
    if (environment) process.setProcessEnvironment(*environment);
    process.start(QStringLiteral(LOCKSTEP_PROGRAM), arguments);
    process.write(input);
    process.closeWriteChannel();
    if (!process.waitForFinished(120000)) return {};
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1,
            process.readAllStandardOutput(), process.readAllStandardError()};
}

QJsonDocument read_json(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? QJsonDocument::fromJson(file.readAll())
                                          : QJsonDocument();
}

QStringList keys(const QJsonObject& object) {
    return object.keys();
}

}  // namespace

class TestWords : public QObject {
    Q_OBJECT
  private:
    QTemporaryDir folder_;
    QString model_;
    QString file(const char* name) const { return folder_.filePath(name); }

  private Q_SLOTS:
    void initTestCase() {
        model_ = file("tiny");
        QVERIFY(write_tiny_model(byte_recipe(), model_.toStdString()));
    }

    void help_is_for_every_word_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("words");
        QTest::newRow("program") << QStringList{"--help"} << "tokenize";
        QTest::newRow("chat") << QStringList{"chat", "--help"} << "--show-prompt";
        QTest::newRow("chat -h") << QStringList{"chat", "-h"} << "--max-tokens N";
        QTest::newRow("tokenize") << QStringList{"tokenize", "--help"} << "--texts F.json";
        QTest::newRow("bench") << QStringList{"bench", "--help"} << "fraction_of_bandwidth";
        QTest::newRow("trace") << QStringList{"trace", "--help"} << "--decode-ids LIST";
        QTest::newRow("models") << QStringList{"models", "--help"} << "LOCKSTEP_MODELS";
    }
    void help_is_for_every_word() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, words);
        const Ran ran = run(arguments);
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.contains(words.toUtf8()), ran.out);
        QVERIFY(ran.err.isEmpty());
    }

    void wrong_usage_is_one_line_and_status_2_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("complaint");
        const auto row = [](const char* name, const QStringList& arguments, const char* complaint) {
            QTest::newRow(name) << arguments << QByteArray(complaint);
        };
        row("no such word", {"sing"}, "no word or file \"sing\"");
        row("no such option", {"chat", "--colour", "red"}, "no option --colour");
        row("a value is missing", {"chat", "--model"}, "--model M");
        row("a switch with a value", {"chat", "--raw=1"}, "--raw takes no value");
        row("not an option", {"chat", "hello"}, "\"hello\" is not an option");
        row("no model", {"chat", "--prompt", "x"}, "--model M is needed");
        row("no such model", {"chat", "--model", "nope", "--prompt", "x"}, "smollm2-135m-instruct");
        row("not a number", {"chat", "--model", "%", "--prompt", "x", "--max-tokens", "ten"},
            "--max-tokens");
        row("out of range", {"chat", "--model", "%", "--prompt", "x", "--top-p", "2"}, "--top-p");
        row("no such path", {"chat", "--model", "%", "--prompt", "x", "--path", "quick"}, "truth");
        row("no such dtype", {"chat", "--model", "%", "--prompt", "x", "--dtype", "int8"}, "fp32");
        row("empty prompt", {"chat", "--model", "%", "--prompt", ""}, "the prompt is empty");
        row("system without template",
            {"chat", "--model", "%", "--raw", "--system", "s", "--prompt", "x"}, "--raw");
        row("context too long", {"chat", "--model", "%", "--prompt", "x", "--context", "99999"},
            "1 to 512");
        row("texts not there", {"tokenize", "--model", "%", "--texts", "/nothing.json"},
            "/nothing.json");
        row("a folder as texts", {"tokenize", "--model", "%", "--texts", "/"}, "/");
        row("trace to nowhere", {"trace", "--model", "%"}, "--out F is needed");
        row("trace into no folder", {"trace", "--model", "%", "--out", "/none/x"},
            "/none/x: could not be written");
        row("trace over a folder", {"trace", "--model", "%", "--out", "/"}, "is a folder");
        row("trace to a full disk", {"trace", "--model", "%", "--out", "/dev/full"},
            "No space left");
        row("trace past the context",
            {"trace", "--model", "%", "--out", "/dev/null", "--decode", "512"}, "a context of 512");
        row("trace of ids that are none",
            {"trace", "--model", "%", "--out", "/dev/null", "--decode-ids", "1,x"}, "--decode-ids");
        row("trace of two numbers of steps",
            {"trace", "--model", "%", "--out", "/dev/null", "--decode", "3", "--decode-ids", "1"},
            "leave one of them out");
        row("trace of an id outside",
            {"trace", "--model", "%", "--out", "/dev/null", "--decode-ids", "259"}, "259");
        row("no such trace", {"compare", "--model", "%", "--candidate", "trace:/none"}, "/none");
        row("a trace that is none",
            {"compare", "--model", "%", "--candidate", "trace:%/config.json"}, "config.json");
        row("a fault in a trace",
            {"compare", "--model", "%", "--dtype", "bf16", "--candidate",
             "trace:%/model.safetensors", "--inject", "k_bias_dropped@layer=0"},
            "can't be planted in a trace");
        row("a report into no folder", {"compare", "--model", "%", "--html", "/none/r.html"},
            "/none/r.html: could not be written");
        row("no such fault", {"compare", "--model", "%", "--inject", "bias@layer=0"},
            "no fault \"bias\"; the known ones are embed_row_shifted");
        row("no such fault, told before the model", {"compare", "--inject", "bias"}, "no fault");
        row("a fault nowhere", {"compare", "--model", "%", "--inject", "rope_missing"},
            "rope_missing@layer=N");
        row("no such layer", {"compare", "--model", "%", "--inject", "rope_missing@layer=3"},
            "layers are 0 to 2");
        row("another step's fault",
            {"compare", "--model", "%", "--inject", "rope_missing@layer=0,step=down"},
            "a fault of qkv, not of down");
        row("a fault that can't show",
            {"compare", "--model", "%", "--inject", "k_bias_dropped@layer=0"},
            "has no effect in tiny: the model has no bias");
        row("no tokens to decode", {"bench", "--model", "%", "--tokens", "0"}, "--tokens");
    }
    void wrong_usage_is_one_line_and_status_2() {
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, complaint);
        arguments.replaceInStrings("%", model_);
        const Ran ran = run(arguments);
        QVERIFY2(ran.complains_of(complaint), ran.err);
    }

    void an_over_long_prompt_is_refused_in_words() {
        const Ran ran =
            run({"chat", "--model", model_, "--raw", "--path", "truth"}, QByteArray(600, 'x'));
        QVERIFY2(ran.complains_of("600 tokens long"), ran.err);
    }

    void chat_streams_the_text_and_writes_its_json() {
        const QString json = file("chat.json");
        const Ran ran = run({"chat", "--model", model_, "--prompt", "Hi", "--path", "truth",
                             "--max-tokens", "6", "--json", json});
        QVERIFY2(ran.status == 0, ran.err);
        const QJsonObject object = read_json(json).object();
        QCOMPARE(keys(object), QStringList({"model", "output_ids", "path", "prompt_ids",
                                            "stop_reason", "text", "timings", "top_logprobs"}));
        QCOMPARE(ran.out, object["text"].toString().toUtf8() + "\n");
        QCOMPARE(object["path"].toString(), QStringLiteral("truth"));
        QCOMPARE(object["stop_reason"].toString(), QStringLiteral("max_tokens"));
        QCOMPARE(object["output_ids"].toArray().size(), 6);
        const QJsonArray logprobs = object["top_logprobs"].toArray();
        QCOMPARE(logprobs.size(), 6);
        QCOMPARE(logprobs[0].toArray().size(), 20);
        QCOMPARE(logprobs[0].toArray()[0].toObject()["id"], object["output_ids"].toArray()[0]);
    }

    void a_prompt_is_any_bytes_data() {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QList<int>>("ids");
        QTest::newRow("0xFF") << QByteArray("\xff") << QList<int>{};
        QTest::newRow("NUL") << QByteArray(2, '\0') << QList<int>{0, 0};
        QTest::newRow("its last newline goes") << QByteArray("a\n") << QList<int>{'a'};
    }
    void a_prompt_is_any_bytes() {
        QFETCH(QByteArray, input);
        QFETCH(QList<int>, ids);
        const QString json = file("bytes.json");
        const Ran ran = run({"chat", "--model", model_, "--raw", "--path", "truth", "--max-tokens",
                             "2", "--json", json},
                            input);
        QVERIFY2(ran.status == 0, ran.err);
        const QJsonArray got = read_json(json).object()["prompt_ids"].toArray();
        QVERIFY(!got.isEmpty());
        for (qsizetype i = 0; i < ids.size(); ++i) QCOMPARE(got[i].toInt(), ids[i]);
    }

    void show_prompt_prints_the_prompt_and_its_ids() {
        const Ran ran = run({"chat", "--model", model_, "--prompt", "a", "--system", "s",
                             "--show-prompt", "--path", "truth", "--max-tokens", "1"});
        QVERIFY2(ran.status == 0, ran.err);
        const QByteArray prompt =
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>"
            "assistant\n";
        QVERIFY2(ran.out.startsWith(prompt + "\n[257,115,"), ran.out);
    }

    void ctrl_c_stops_the_answer_and_what_there_is_is_kept() {
        const QString json = file("stopped.json");
        QProcess process;
        process.start(QStringLiteral(LOCKSTEP_PROGRAM),
                      {"chat", "--model", model_, "--prompt", "Go on.", "--path", "truth",
                       "--temperature", "1", "--context", "512", "--json", json});
        QVERIFY(process.waitForReadyRead(60000));
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(60000));
        QCOMPARE(process.exitStatus(), QProcess::NormalExit);
        QCOMPARE(process.exitCode(), 0);
        const QString reason = read_json(json).object()["stop_reason"].toString();
        // A model this small may be done before the signal comes.
        QVERIFY2(reason == "cancelled" || reason == "context_full" || reason == "end_of_text",
                 qPrintable(reason));
    }

    void tokenize_reads_stdin_texts_and_conversations() {
        const Ran plain = run({"tokenize", "--model", model_}, "a<|im_end|>");
        QVERIFY2(plain.status == 0, plain.err);
        QCOMPARE(QJsonDocument::fromJson(plain.out).array()[0].toObject()["ids"].toArray().size(),
                 11);
        const Ran special = run({"tokenize", "--model", model_, "--special"}, "a<|im_end|>");
        QCOMPARE(QJsonDocument::fromJson(special.out).array()[0].toObject()["ids"].toArray(),
                 QJsonArray({97, 258}));

        QFile texts(file("texts.json"));
        QVERIFY(texts.open(QIODevice::WriteOnly));
        texts.write(R"(["b", "", "\u0000"])");
        texts.close();
        const QString json = file("ids.json");
        QCOMPARE(run({"tokenize", "--model", model_, "--texts", texts.fileName(), "--json", json})
                     .status,
                 0);
        const QJsonArray all = read_json(json).array();
        QCOMPARE(all.size(), 3);
        QCOMPARE(all[0].toObject()["ids"].toArray(), QJsonArray({98}));
        QCOMPARE(all[0].toObject()["pieces"].toArray(), QJsonArray({"b"}));
        QCOMPARE(all[1].toObject()["ids"].toArray(), QJsonArray());
        QCOMPARE(all[2].toObject()["ids"].toArray(), QJsonArray({0}));

        QFile chat(file("messages.json"));
        QVERIFY(chat.open(QIODevice::WriteOnly));
        chat.write(R"([{"role": "user", "content": "c"}])");
        chat.close();
        const Ran templated = run({"tokenize", "--model", model_, "--chat", chat.fileName()});
        QVERIFY2(templated.status == 0, templated.err);
        const QJsonObject object = QJsonDocument::fromJson(templated.out).object();
        QCOMPARE(object["text"].toString(),
                 QStringLiteral("<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"));
        QCOMPARE(object["ids"].toArray()[0].toInt(), 257);
    }

    void tokenize_needs_no_weights() {
        const QString bare = file("bare");
        QVERIFY(write_tiny_model(byte_recipe(), bare.toStdString()));
        QVERIFY(QFile::remove(bare + "/model.safetensors"));
        const Ran ran = run({"tokenize", "--model", bare}, "x");
        QVERIFY2(ran.status == 0, ran.err);
    }

    void bench_writes_what_it_promises() {
        const QString json = file("bench.json");
        const Ran one = run({"bench", "--model", model_, "--path", "truth", "--prompt-tokens", "20",
                             "--tokens", "4", "--threads", "1", "--json", json});
        QVERIFY2(one.status == 0, one.err);
        const QJsonObject object = read_json(json).object();
        QCOMPARE(keys(object), QStringList({"bandwidth_gb_s", "decode", "device", "model", "path",
                                            "prefill", "threads"}));
        QCOMPARE(
            keys(object["decode"].toObject()),
            QStringList({"fraction_of_bandwidth", "ms_per_token", "tokens_per_s", "weight_bytes"}));
        QCOMPARE(keys(object["prefill"].toObject()), QStringList({"tokens", "tokens_per_s"}));
        QCOMPARE(object["threads"].toInt(), 1);
        QVERIFY(object["bandwidth_gb_s"].toDouble() > 0);
        QVERIFY(object["decode"].toObject()["tokens_per_s"].toDouble() > 0);
        const Ran both = run(
            {"bench", "--model", model_, "--prompt-tokens", "20", "--tokens", "4", "--json", json});
        QVERIFY2(both.status == 0, both.err);
        QCOMPARE(read_json(json).object()["path"].toString(), QStringLiteral("fused"));
        QVERIFY(read_json(json).object()["reference"].toObject().contains("decode"));
    }

    void bench_says_what_each_step_takes() {
        const QString json = file("steps.json");
        const Ran ran = run({"bench", "--model", model_, "--path", "fused", "--prompt-tokens", "20",
                             "--tokens", "4", "--steps", "--json", json});
        QVERIFY2(ran.status == 0, ran.err);
        const QJsonObject decode = read_json(json).object()["decode"].toObject();
        qint64 bytes = 0;
        QStringList steps;
        for (const QJsonValue& row : decode["steps"].toArray()) {
            steps << row["step"].toString();
            bytes += row["weight_bytes"].toInteger();
            QVERIFY(row["ms_per_token"].isDouble());
            QVERIFY2(ran.out.contains(row["step"].toString().toUtf8()), ran.out);
        }
        QCOMPARE(steps, QStringList({"embed", "qkv", "attention", "attn_output", "gate_up", "down",
                                     "logits"}));
        QCOMPARE(bytes, decode["weight_bytes"].toInteger());
    }

    void compare_lists_the_faults_that_can_be_planted() {
        const Ran ran = run({"compare", "--list-faults"});
        QVERIFY2(ran.status == 0, ran.err);
        const QList<QByteArray> lines = ran.out.trimmed().split('\n');
        QVERIFY(lines.size() >= 60);
        for (const QByteArray& line : lines) QVERIFY2(line.count('\t') == 2, line);
        QVERIFY(ran.out.contains("\nrope_missing\tqkv\tq and k are not rotated\n"));
    }

    void a_trace_is_written_and_compared() {
        const QString trace = file("t.safetensors"), json = file("t.json"), html = file("t.html");
        Ran ran = run({"trace", "--model", model_, "--prompt", "Hello", "--decode", "2", "--dtype",
                       "fp16", "--path", "fused", "--out", trace});
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY(ran.out.isEmpty());
        // The prompt, the decode steps and the dtype are the trace's.
        const QStringList compare{"compare", "--model", model_, "--candidate", "trace:" + trace};
        ran = run(compare + QStringList{"--json", json, "--html", html});
        QVERIFY2(ran.status == 0, ran.err + ran.out);
        QVERIFY(ran.out.contains("matches reference in every step."));
        const QJsonObject report = read_json(json).object();
        QCOMPARE(report["dtype"].toString(), QStringLiteral("f16"));
        QCOMPARE(report["prompt"].toString(), QStringLiteral("Hello"));
        QCOMPARE(report["tokens"].toArray().size(), 5);
        QCOMPARE(report["missing"].toArray().size(), 0);
        QVERIFY(QFileInfo(html).size() > 10000);
        QVERIFY(run(compare + QStringList{"--prompt", "Hullo"}).complains_of("of another prompt"));
        QVERIFY(run(compare + QStringList{"--dtype", "bf16"}).complains_of("--dtype fp16"));
        QVERIFY(run(compare + QStringList{"--decode", "3"}).complains_of("2 decode steps, not 3"));
        QFile cut(trace);
        QVERIFY(cut.resize(cut.size() - 1));
        QVERIFY(run(compare).complains_of("t.safetensors"));
        const auto other = file("other");
        TinyRecipe recipe = byte_recipe();
        recipe.config.num_attention_heads = 6;
        QVERIFY(write_tiny_model(recipe, other.toStdString()));
        ran = run({"trace", "--model", model_, "--out", trace});
        QVERIFY2(ran.status == 0, ran.err);
        ran = run({"compare", "--model", other, "--candidate", "trace:" + trace});
        QVERIFY2(ran.complains_of("but other makes"), ran.err);
    }

    void compare_finds_a_planted_fault() {
        const QString json = file("planted.json");
        const Ran ran = run({"compare", "--model", model_, "--prompt", "Hello there", "--inject",
                             "mlp_residual_missing@layer=1,step=down", "--json", json});
        QVERIFY2(ran.status == 1, ran.err);
        QVERIFY2(ran.out.contains("layer 1, down"), ran.out);
        const QJsonObject object = read_json(json).object();
        QCOMPARE(object["candidate"].toString(),
                 QStringLiteral("fused with mlp_residual_missing@layer=1"));
        QCOMPARE(object["verdict"].toString(), QStringLiteral("diverged"));
        const QJsonObject first = object["first_divergence"].toObject();
        QCOMPARE(first["layer"].toInt(), 1);
        QCOMPARE(first["step"].toString(), QStringLiteral("down"));
    }

    // At position 0 RoPE rotates nothing.
    void compare_says_that_a_planted_fault_changes_nothing() {
        const QString json = file("unseen.json"), html = file("unseen.html");
        const QStringList compare{
            "compare", "--model", model_,   "--inject", "rope_interleaved@layer=1",
            "--json",  json,      "--html", html};
        const Ran ran = run(compare + QStringList{"--prompt", "H"});
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY2(ran.out.contains("The fault planted in layer 1, qkv (rope_interleaved) changes "
                                  "nothing on these inputs"),
                 ran.out);
        const QJsonObject planted = read_json(json).object()["planted"].toObject();
        QCOMPARE(planted["outcome"].toString(), QStringLiteral("no_effect"));
        QFile page(html);
        QVERIFY(page.open(QIODevice::ReadOnly) && page.readAll().contains("changes nothing"));
        const Ran shown = run(compare + QStringList{"--prompt", "Hello"});
        QCOMPARE(shown.status, 1);
        QVERIFY2(!shown.out.contains("changes nothing"), shown.out);
    }

    void models_tells_what_is_known_and_where() {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("LOCKSTEP_MODELS", folder_.path());
        const Ran ran = run({"models"}, {}, &environment);
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY2(ran.out.contains("smollm2-135m-instruct") && ran.out.contains("Apache-2.0"),
                 ran.out);
        QVERIFY2(ran.out.contains("98 MB") && ran.out.contains("not here"), ran.out);
        QVERIFY2(ran.out.contains(folder_.filePath("tiny").toUtf8()), ran.out);
    }

    void a_model_of_the_models_folder_is_found_by_its_name() {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("LOCKSTEP_MODELS", folder_.path());
        const Ran ran = run({"tokenize", "--model", "tiny"}, "x", &environment);
        QVERIFY2(ran.status == 0, ran.err);
    }

    void without_a_display_it_is_a_chat_in_the_terminal() {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
            environment.remove(name);
        const Ran ran = run({model_}, "/path truth\nhello\n/nonsense\n/new\n/quit\n", &environment);
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY2(ran.err.contains("there is no display") &&
                     ran.err.contains("computing with truth") &&
                     ran.err.contains("no command /nonsense") && ran.err.contains("tokens"),
                 ran.err);
    }
};

QTEST_GUILESS_MAIN(TestWords)
#include "tst_words.moc"
