// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel of one's own on the command line: compare and chat, with the program itself as the
// child.
#include <QProcess>
#include <QTest>

#include "tests/support/tiny_model.h"

using namespace lockstep::test;

namespace {

struct Ran {
    int status = -1;
    QByteArray out, err;
};

Ran run(const QStringList& arguments, const QByteArray& input = {}) {
    QProcess process;
    process.start(QStringLiteral(LOCKSTEP_PROGRAM), arguments);
    process.write(input);
    process.closeWriteChannel();
    if (!process.waitForFinished(240000)) return {};
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1,
            process.readAllStandardOutput(), process.readAllStandardError()};
}

QString kernel(const char* name) {
    return QStringLiteral(LOCKSTEP_KERNELS_FOLDER "/") + name + ".so";
}

}  // namespace

class TestUserKernelWords : public QObject {
    Q_OBJECT
    QTemporaryDir folder_;
    QString model_;

    Ran compare(const QString& candidate, const QStringList& more = {}) {
        return run(QStringList{"compare", "--model", model_, "--candidate", candidate} + more);
    }
    Ran chat(const QString& path, const QStringList& more = {}) {
        return run(QStringList{"chat", "--model", model_, "--prompt", "Hi", "--max-tokens", "3",
                               "--path", path} +
                   more);
    }

  private Q_SLOTS:
    void initTestCase() {
        model_ = folder_.filePath("tiny");
        QVERIFY(write_tiny_model(byte_recipe(), model_.toStdString()));
    }

    // What the trace of it says is what compare says of it itself.
    void trace_captures_it() {
        const QString file = folder_.filePath("t.safetensors");
        const auto trace = [&](const QString& path) {
            return run({"trace", "--model", model_, "--path", path, "--out", file});
        };
        Ran ran = trace(kernel("misbehaving-none"));
        QVERIFY2(ran.status == 0, ran.err);
        QCOMPARE(compare("trace:" + file).status, 0);
        ran = trace(kernel("misbehaving-wrong") + ",base=reference");
        QVERIFY2(ran.status == 0, ran.err);
        QCOMPARE(compare("trace:" + file).status, 1);
        QVERIFY(QFile::remove(file));
        ran = trace(kernel("misbehaving-null"));
        QCOMPARE(ran.status, 2);
        QVERIFY2(ran.err.contains("misbehaving-null.so, step"), ran.err);
        QVERIFY(!QFile::exists(file));
        ran = trace("/nowhere/my_kernel.so");
        QVERIFY2(ran.status == 2 && ran.err.contains("my_kernel.so"), ran.err);
    }

    void compare_judges_it() {
        const Ran right = compare(kernel("misbehaving-none"));
        QVERIFY2(right.status == 0, right.err);
        QVERIFY2(right.out.contains("misbehaving-none.so matches reference"), right.out);
        const Ran wrong = compare(kernel("misbehaving-unwritten") + ",base=reference");
        QVERIFY2(wrong.status == 1, wrong.err);
        QVERIFY2(wrong.out.contains("misbehaving-unwritten.so parts from reference in layer 0, "
                                    "attn_output: hidden_attn is not finite"),
                 wrong.out);
    }

    void what_can_t_be_judged_is_one_line_and_status_2_data() {
        QTest::addColumn<QString>("candidate");
        QTest::addColumn<QByteArray>("complaint");
        QTest::newRow("crash") << kernel("misbehaving-null")
                               << QByteArray("it wrote to a null pointer");
        QTest::newRow("exit") << kernel("misbehaving-exit")
                              << QByteArray("ended its process with exit(0)");
        QTest::newRow("input") << kernel("misbehaving-input")
                               << QByteArray("hidden bf16[5, 96], which it may only read");
        QTest::newRow("nothing") << kernel("unfit-exports_nothing")
                                 << QByteArray("exports none of");
        QTest::newRow("base") << kernel("misbehaving-none") + ",base=fast"
                              << QByteArray("truth, reference, fused, not \"fast\"");
        QTest::newRow("missing") << "./nowhere.so" << QByteArray("No such file");
        QTest::newRow("neither") << "fast" << QByteArray("a shared object (./my_kernel.so)");
    }
    void what_can_t_be_judged_is_one_line_and_status_2() {
        QFETCH(QString, candidate);
        QFETCH(QByteArray, complaint);
        const Ran ran = compare(candidate);
        QVERIFY2(ran.status == 2 && ran.err.startsWith("lockstep: ") && ran.err.count('\n') == 1 &&
                     ran.err.contains(complaint),
                 ran.err);
    }

    void where_they_part_can_be_taken_along() {
        const QString folder = folder_.filePath("repro");
        const Ran wrong = compare(kernel("misbehaving-wrong"), {"--repro", folder});
        QVERIFY2(wrong.status == 1, wrong.err);
        for (const char* name : {"/repro.safetensors", "/repro.cpp", "/lockstep_kernel.h"})
            QVERIFY2(QFile::exists(folder + name), name);
        const Ran nowhere = compare(kernel("misbehaving-wrong"), {"--repro", "/nowhere/repro"});
        QVERIFY2(nowhere.status == 2 && nowhere.err.contains("/nowhere/repro"), nowhere.err);
        const Ran match = compare(kernel("misbehaving-none"), {"--repro", folder + "2"});
        QVERIFY2(match.status == 0, match.err);
        QVERIFY(!QFile::exists(folder + "2"));
    }

    void what_it_prints_is_not_taken_for_ours() {
        const Ran ran = compare(kernel("misbehaving-print"), {"--json", "-"});
        QVERIFY2(ran.status == 0, ran.err.left(500));
        QVERIFY(QJsonDocument::fromJson(ran.out).isObject());
        QVERIFY(ran.err.contains("line 0 of a hundred thousand"));
        QVERIFY2(ran.err.size() < 300'000, "not all of it");
        QVERIFY(ran.err.contains("it is not shown"));
    }

    void chat_takes_it_once_it_has_passed() {
        const QString json = folder_.filePath("chat.json");
        const Ran right = chat(kernel("misbehaving-none"), {"--json", json});
        QVERIFY2(right.status == 0, right.err);
        QVERIFY2(right.err.contains("misbehaving-none.so matches the reference"), right.err);
        QFile file(json);
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(QJsonDocument::fromJson(file.readAll())["path"].toString(),
                 QStringLiteral("misbehaving-none.so"));

        const Ran wrong = chat(kernel("misbehaving-wrong"));
        QCOMPARE(wrong.status, 2);
        QVERIFY2(wrong.err.contains("parts from reference in layer 0, attn_output") &&
                     wrong.err.contains("--unchecked"),
                 wrong.err);
        const Ran insisted = chat(kernel("misbehaving-wrong"), {"--unchecked"});
        QVERIFY2(insisted.status == 0, insisted.err);
        QVERIFY2(insisted.err.contains("runs in a process of its own"), insisted.err);
    }

    void its_speed_is_measured() {
        const QString json = folder_.filePath("bench.json");
        const Ran ran = run({"bench", "--model", model_, "--prompt-tokens", "5", "--tokens", "2",
                             "--path", kernel("misbehaving-none"), "--json", json});
        QVERIFY2(ran.status == 0, ran.err);
        QFile file(json);
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(QJsonDocument::fromJson(file.readAll())["path"].toString(),
                 QStringLiteral("misbehaving-none.so"));
        const Ran missing = run({"bench", "--model", model_, "--path", "./nowhere.so"});
        QVERIFY2(missing.status == 2 && missing.err.contains("No such file"), missing.err);
    }

    // A fault that was found, though there is nothing to compare: what its author looks for is in
    // the one line, and no report of half a comparison is left behind.
    void a_crash_is_told_with_its_place() {
        const QString json = folder_.filePath("crash.json");
        const Ran ran = compare(kernel("misbehaving-null"), {"--json", json});
        QVERIFY2(ran.status == 2 && ran.err.count('\n') == 1, ran.err);
        for (const char* part : {"misbehaving-null.so", "step attn_output of layer 0",
                                 "lockstep_attn_output on attn bf16[",
                                 "at position 0: crashed (SIGSEGV): it wrote to a null pointer"})
            QVERIFY2(ran.err.contains(part), ran.err);
        QVERIFY(!QFile::exists(json));
    }

    // It crashes in the middle of an answer, and the chat goes on.
    void a_conversation_outlives_it() {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
            environment.remove(name);
        QProcess process;
        process.setProcessEnvironment(environment);
        process.start(QStringLiteral(LOCKSTEP_PROGRAM), {model_});
        process.write(("/path " + kernel("misbehaving-null") + "\n/path " +
                       kernel("misbehaving-none") + "\nhello\n/quit\n")
                          .toUtf8());
        process.closeWriteChannel();
        QVERIFY(process.waitForFinished(240000));
        QCOMPARE(process.exitCode(), 0);
        const QByteArray err = process.readAllStandardError();
        QVERIFY2(err.contains("it wrote to a null pointer"), err);
        QVERIFY2(err.contains("misbehaving-none.so matches the reference"), err);
        QVERIFY2(err.contains(", misbehaving-none.so, "), err);
    }
};

QTEST_GUILESS_MAIN(TestUserKernelWords)
#include "tst_user_kernel_words.moc"
