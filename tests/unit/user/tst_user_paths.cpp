// SPDX-License-Identifier: GPL-3.0-or-later
// The README's own lines build the examples; the right one is right by the rule for every step and
// shape, in its child process and in this one; the one with a fault is found out where the fault
// is.
#include <QProcess>
#include <QStandardPaths>
#include <QTest>

#include "core/inspect/candidate.h"
#include "core/inspect/comparison.h"
#include "core/inspect/inspection.h"
#include "core/inspect/repro.h"
#include "core/inspect/short_check.h"
#include "core/model/model_loader.h"
#include "core/run/path_choice.h"
#include "kernels/user/kernel_library.h"
#include "tests/support/tiny_model.h"
#include "tests/unit/kernels/step_examiner.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

IsolationOptions isolation() {
    IsolationOptions options;
    options.program = LOCKSTEP_KERNEL_CHILD;
    options.arguments.clear();
    return options;
}

CompareRequest request_of(const std::shared_ptr<const Model>& model, KernelPath candidate) {
    CompareRequest request;
    request.model = model;
    request.threads = 2;
    for (const size_t length : {1, 17}) {
        std::vector<int32_t>& ids = request.prompts.emplace_back(length);
        for (size_t i = 0; i < length; ++i) {
            ids[i] =
                static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(model->config.vocab_size));
        }
    }
    request.decode_steps = 2;
    request.candidate = std::move(candidate);
    request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    return request;
}

// Two heads in the cache: with one, a cache by rows and one by heads are the same.
TinyRecipe two_heads() {
    TinyRecipe recipe = byte_recipe();
    recipe.config.num_attention_heads = 6;
    recipe.config.num_key_value_heads = 2;
    return recipe;
}

const char* why(const Status& status) {
    return status ? "" : status.error().message.c_str();
}

}  // namespace

class TestUserPaths : public QObject {
    Q_OBJECT
    QTemporaryDir folder_;

    std::filesystem::path built(const char* name) const {
        return folder_.filePath(name).toStdString();
    }
    static std::filesystem::path kernel_file(const std::string& name) {
        return std::filesystem::path(LOCKSTEP_KERNELS_FOLDER) / (name + ".so");
    }

  private Q_SLOTS:
    void initTestCase() {
        QFile readme(LOCKSTEP_SOURCE_DIR "/README.md");
        QVERIFY(readme.open(QIODevice::ReadOnly));
        const QString text = QString::fromUtf8(readme.readAll());
        QVERIFY(QFile::link(LOCKSTEP_SOURCE_DIR "/kernels", folder_.filePath("kernels")));
        const bool have_nvcc = !QStandardPaths::findExecutable("nvcc").isEmpty();
        int lines = 0, cuda_lines = 0;
        for (const QString& line : text.split('\n')) {
            const bool cuda = line.startsWith("nvcc ");
            if (!line.startsWith("g++ ") && !(cuda && have_nvcc)) continue;
            QProcess compiler;
            compiler.setProcessChannelMode(QProcess::MergedChannels);
            compiler.setWorkingDirectory(folder_.path());
            compiler.start("sh", {"-c", line});
            QVERIFY(compiler.waitForFinished(240000));
            const QByteArray said = compiler.readAll();
            // Without a GPU nvcc says of "native" that it takes its default.
            QVERIFY2(compiler.exitCode() == 0 && (said.isEmpty() || cuda), said);
            ++(cuda ? cuda_lines : lines);
        }
        QCOMPARE(lines, 2);
        QCOMPARE(cuda_lines, have_nvcc ? 2 : 0);
    }

    void the_right_example_is_right_by_the_rule_data() {
        QTest::addColumn<bool>("isolated");
        QTest::newRow("in a child process") << true;
        QTest::newRow("in this process") << false;
    }
    void the_right_example_is_right_by_the_rule() {
        QFETCH(bool, isolated);
        const auto kernel = isolated
                                ? open_user_kernel_isolated(built("plain.so"), "fused", isolation())
                                : open_user_kernel_in_process(built("plain.so"));
        QVERIFY2(kernel, kernel ? "" : kernel.error().message.c_str());
        QCOMPARE(kernel->steps.size(), size_t{step_count});
        StepExaminer examiner;
        const StepShape shapes[] = {{1, 1, 1, 1, 2, 1, 1, 0, 0, true},
                                    {17, 100, 4, 2, 32, 130, 257, 20, 3, true},
                                    {5, 96, 7, 1, 16, 50, 33, 70, 63, false}};
        for (const StepShape& shape : shapes) {
            for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                for (const bool strided : {false, true}) {
                    for (int step = 0; step < step_count; ++step) {
                        SampleOptions options;
                        options.weight_dtype = options.activation_dtype = dtype;
                        options.strided = strided;
                        const auto id = static_cast<StepId>(step);
                        const std::string complaint =
                            examiner.examine(kernel->path, id, shape, options);
                        QVERIFY2(complaint.empty(),
                                 (description(id, shape, options) + ": " + complaint).c_str());
                    }
                }
            }
        }
    }

    void the_right_example_matches_in_a_model_data() {
        QTest::addColumn<QString>("recipe");
        const auto recipes = read_tiny_recipes();
        for (const TinyRecipe& recipe : *recipes)
            QTest::newRow(recipe.name.c_str()) << QString::fromStdString(recipe.name);
    }
    void the_right_example_matches_in_a_model() {
        QFETCH(QString, recipe);
        const auto recipes = read_tiny_recipes();
        const auto found = std::find_if(recipes->begin(), recipes->end(), [&](const TinyRecipe& r) {
            return r.name == recipe.toStdString();
        });
        const auto model = make_tiny_model(*found, DType::bf16);
        CandidateSpec spec{built("plain.so").string(), {}, isolation()};
        const auto candidate = open_candidate(spec, DeviceKind::cpu, model);
        QVERIFY2(candidate, candidate ? "" : candidate.error().message.c_str());
        const auto comparison = compare_paths(request_of(model, candidate->path));
        QVERIFY2(comparison, comparison ? "" : comparison.error().message.c_str());
        QVERIFY(!comparison->diverged());
        QCOMPARE(comparison->candidate, std::string("plain.so"));
    }

    void the_fault_is_found_where_it_is_data() {
        QTest::addColumn<QString>("base");
        QTest::newRow("fused") << "";
        QTest::newRow("reference") << ",base=reference";
    }
    void the_fault_is_found_where_it_is() {
        QFETCH(QString, base);
        const auto model = make_tiny_model(two_heads(), DType::bf16);
        CandidateSpec spec{
            built("attention_wrong_layout.so").string() + base.toStdString(), {}, isolation()};
        const auto candidate = open_candidate(spec, DeviceKind::cpu, model);
        QVERIFY2(candidate, candidate ? "" : candidate.error().message.c_str());
        CompareRequest request = request_of(model, candidate->path);
        const auto comparison = compare_paths(request);
        QVERIFY2(comparison, comparison ? "" : comparison.error().message.c_str());
        QVERIFY(comparison->first);
        QCOMPARE(comparison->first->step, StepId::attention);
        QCOMPARE(comparison->first->layer, 0);
        // And can be opened again, as candidate, reference and truth, and explained.
        const auto step = reopen_step(request, *comparison->first);
        QVERIFY2(step, step ? "" : step.error().message.c_str());
        const auto inspection = inspect(request);
        QVERIFY2(inspection, inspection ? "" : inspection.error().message.c_str());
        QVERIFY(inspection->diagnosis && !inspection->diagnosis->causes.empty());
        std::vector<std::string> causes;
        for (const Cause& cause : inspection->diagnosis->causes) causes.push_back(cause.cause);
        QVERIFY2(std::find(causes.begin(), causes.end(), "cache_layout_wrong") != causes.end(),
                 causes.front().c_str());
    }

    void a_fault_in_the_kernel_ends_the_comparison_with_its_place() {
        const auto model = make_tiny_model(byte_recipe(), DType::bf16);
        CandidateSpec spec{kernel_file("misbehaving-null").string(), {}, isolation()};
        const auto candidate = open_candidate(spec, DeviceKind::cpu, model);
        QVERIFY(candidate);
        const auto comparison = compare_paths(request_of(model, candidate->path));
        QVERIFY(!comparison);
        const QString text = QString::fromStdString(comparison.error().message);
        QVERIFY2(
            text.contains("step attn_output of layer 0: lockstep_attn_output on attn bf16[1, ") &&
                text.contains("it wrote to a null pointer"),
            qPrintable(text));
    }

    void the_short_check_tells_right_from_wrong() {
        QTemporaryDir folder;
        QVERIFY(write_tiny_model(two_heads(), folder.filePath("tiny").toStdString()));
        const auto loaded = load_model(folder.filePath("tiny").toStdString(), {});
        QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
        for (const bool right : {true, false}) {
            const char* const name = right ? "plain.so" : "attention_wrong_layout.so";
            const auto kernel = open_user_kernel_isolated(built(name), "fused", isolation());
            const auto checked = short_check({*loaded, kernel->path, 2, {}});
            QVERIFY2(checked, checked ? "" : checked.error().message.c_str());
            QCOMPARE(!checked->diverged(), right);
        }
    }

    // Every step as a standalone case: its driver is built with a kernel's source and tells right
    // from wrong.
    void a_standalone_case_of_a_step_data() {
        QTest::addColumn<int>("step");
        for (int step = 0; step < step_count; ++step)
            QTest::newRow(step_name(static_cast<StepId>(step)).data()) << step;
    }
    void a_standalone_case_of_a_step() {
        QFETCH(int, step);
        const auto id = static_cast<StepId>(step);
        const KernelPath& reference = *find_kernel_path(DeviceKind::cpu, "reference");
        const KernelPath& truth = *find_kernel_path(DeviceKind::cpu, "truth");
        const auto stream = cpu_device().make_stream(2);
        SampleOptions strided;
        strided.strided = true;
        const auto sample = make_sample_step(id, {5, 48, 4, 2, 12, 40, 33, 9, 2, true}, strided);
        QVERIFY2(sample, sample ? "" : sample.error().message.c_str());
        StepCase found;
        found.where.step = id;
        auto runs =
            run_step_on_all({reference, reference, truth, DType::bf16}, sample->args, **stream);
        QVERIFY2(runs, runs ? "" : runs.error().message.c_str());
        found.runs = std::move(*runs);
        QTemporaryDir folder;
        const std::filesystem::path repro(folder.filePath("repro").toStdString());
        const Status writable = check_repro_folder(repro);
        QVERIFY2(writable, why(writable));
        const Status written = write_repro(found, Comparison(), repro);
        QVERIFY2(written, why(written));
        const QString folder_name = QString::fromStdString(repro.string());
        // A right kernel, and one that leaves its outputs as they are.
        const QString named = QString::fromStdString(kernel_function(id));
        QFile nothing(folder_name + "/nothing.cpp");
        QVERIFY(nothing.open(QIODevice::WriteOnly));
        nothing.write(("#include \"lockstep_kernel.h\"\nint " + named + "(const " + named +
                       "_args*) { return 0; }\n")
                          .toUtf8());
        nothing.close();
        const QString plain = LOCKSTEP_SOURCE_DIR "/kernels/user/examples/plain.cpp";
        for (const QString& source : {plain, nothing.fileName()}) {
            QProcess process;
            process.setProcessChannelMode(QProcess::MergedChannels);
            process.setWorkingDirectory(folder_name);
            process.start("g++", {"-std=c++11", "-Wall", "-Wextra", "-Werror", "-I", ".", "-o",
                                  "repro", "repro.cpp", source});
            QVERIFY(process.waitForFinished(240000));
            QVERIFY2(process.exitCode() == 0, process.readAll());
            process.start(folder_name + "/repro", QStringList());
            QVERIFY(process.waitForFinished(60000));
            const QByteArray said = process.readAll();
            QVERIFY2(process.exitCode() == (source == plain ? 0 : 1), said);
            QCOMPARE(said.contains("good"), source == plain);
        }
    }

    void a_standalone_case_that_can_t_be_written_is_told() {
        const Status writable = check_repro_folder("/nowhere/repro");
        QVERIFY(!writable);
        QVERIFY2(writable.error().message.find("/nowhere/repro") != std::string::npos,
                 why(writable));
    }

    // Chosen for single steps, as the settings choose paths.
    void it_can_be_chosen_step_by_step() {
        const auto kernel = open_user_kernel_in_process(built("plain.so"));
        QVERIFY(kernel);
        PathChoice choice(std::make_shared<const KernelPath>(kernel->path));
        QCOMPARE(choice.name(), std::string("plain.so"));
        choice.steps[static_cast<size_t>(StepId::down)] = "reference";
        const auto path = make_path(DeviceKind::cpu, choice);
        QVERIFY2(path, path ? "" : path.error().message.c_str());
        QCOMPARE(path->name, std::string("plain.so (reference: down)"));
        choice.steps.fill("nothing");
        choice.steps[0] = "fused";
        const auto impossible = make_path(DeviceKind::cpu, choice);
        QVERIFY(!impossible);
        QCOMPARE(impossible.error().message,
                 std::string("there is no path named \"nothing\"; there are: plain.so, truth, "
                             "reference, fused"));
    }

    void unfused_outputs_come_through_where_they_are_declared() {
        const auto kernel = open_user_kernel_isolated(kernel_file("unfused"), "fused", isolation());
        QVERIFY2(kernel, kernel ? "" : kernel.error().message.c_str());
        QCOMPARE(int{kernel->path.writes_unfused_outputs}, 1 << static_cast<int>(StepId::logits));
        const auto step = make_sample_step(StepId::logits, {2, 16, 1, 1, 16, 8, 9}, {});
        const auto stream = cpu_device().make_stream(1);
        const Status ran = run_step(kernel->path, step->args, **stream);
        QVERIFY2(ran, why(ran));
        const auto& args = std::get<LogitsArgs>(step->args);
        QCOMPARE(element(args.normed, args.normed.numel() - 1), 1.0f);
        QCOMPARE(element(args.logits, args.logits.numel() - 1), 2.0f);
    }

    // Rows of the cache that are another's: told where nothing else would show it, and left to the
    // comparison where it sees that the step's own are missing.
    void rows_of_the_cache_that_are_not_the_step_s_data() {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<QString>("told");
        QTest::newRow("one too many")
            << "strays-whole"
            << "wrote in row 2 of k_cache bf16[10, 2, 8], but only rows [3, 7) are the step's";
        QTest::newRow("off by one") << "strays-shifted"
                                    << "";
    }
    void rows_of_the_cache_that_are_not_the_step_s() {
        QFETCH(QString, kernel);
        QFETCH(QString, told);
        const auto opened =
            open_user_kernel_isolated(kernel_file(kernel.toStdString()), "fused", isolation());
        const auto step = make_sample_step(StepId::qkv, {4, 16, 2, 2, 8, 8, 9, 10, 3}, {});
        const auto stream = cpu_device().make_stream(1);
        const Status ran = run_step(opened->path, step->args, **stream);
        if (!told.isEmpty()) {
            QVERIFY2(!ran && QString::fromStdString(ran.error().message).contains(told), why(ran));
            return;
        }
        QVERIFY2(ran, why(ran));
        const Tensor& cache = std::get<QkvArgs>(step->args).k_cache;
        QCOMPARE(element(cache.rows(2, 1), 0), 1.0f);       // where it wrote
        QVERIFY(std::isnan(element(cache.rows(6, 1), 0)));  // where it did not
    }
};

QTEST_GUILESS_MAIN(TestUserPaths)
#include "tst_user_paths.moc"
