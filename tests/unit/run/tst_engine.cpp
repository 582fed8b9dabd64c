// SPDX-License-Identifier: GPL-3.0-or-later
// The engine with a tiny random model on disk: what it streams, when it stops, what it refuses.
#include <QTest>
#include <atomic>

#include "core/run/engine.h"
#include "core/text/utf8_stream.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int64_t context = 160;

GenerateRequest chat(std::string text, int64_t max_tokens = 24) {
    GenerateRequest request;
    request.messages = {{"user", std::move(text)}};
    request.max_tokens = max_tokens;
    return request;
}

GenerateRequest raw(std::string text, int64_t max_tokens = 8) {
    GenerateRequest request;
    request.raw_prompt = std::move(text);
    request.max_tokens = max_tokens;
    return request;
}

std::string message_of(const Status& status) {
    return status ? "" : status.error().message;
}
template <class T>
std::string message_of(const Result<T>& result) {
    return result ? "" : result.error().message;
}

class CountSteps final : public StepObserver {
  public:
    Status after_step(const StepArgs&, bool, Stream&) override {
        ++count;
        return {};
    }
    int64_t count = 0;
};

}  // namespace

class TestEngine : public QObject {
    Q_OBJECT
  private:
    QTemporaryDir folder_;
    std::unique_ptr<Engine> engine_;

    std::filesystem::path model() const { return folder_.path().toStdString() + "/tiny"; }
    GenerateResult run(const GenerateRequest& request,
                       const std::function<bool(const TokenEvent&)>& on_token = {}) {
        auto result = engine_->generate(request, on_token);
        if (!result) qFatal("%s", result.error().message.c_str());
        return std::move(*result);
    }
    // From an empty cache.
    GenerateResult run_fresh(const GenerateRequest& request) {
        engine_->forget_conversation();
        return run(request);
    }

  private Q_SLOTS:
    void initTestCase() { QVERIFY(write_tiny_model(byte_recipe(), model())); }
    void init() {
        engine_ = std::make_unique<Engine>();
        Engine::Options options;
        options.threads = 2;
        options.context = context;
        const Status loaded = engine_->load(model(), {}, options);
        QVERIFY2(loaded, message_of(loaded).c_str());
        QVERIFY(engine_->set_path(PathChoice("truth")));
    }

    void without_a_model_there_is_an_error_in_words() {
        Engine empty;
        const auto result = empty.generate(chat("hello"), {});
        QCOMPARE(message_of(result), std::string("no model is open: open one first"));
        QCOMPARE(empty.context(), int64_t{0});
    }

    void a_failed_load_keeps_the_model_in_use() {
        const auto before = engine_->model();
        const auto answer = run(chat("hello"));
        QVERIFY(!engine_->load(folder_.path().toStdString() + "/nothing", {}, {}));
        QCOMPARE(engine_->model(), before);
        QCOMPARE(run_fresh(chat("hello")).output_ids, answer.output_ids);
    }
    void a_cancelled_load_keeps_the_model_in_use() {
        const auto before = engine_->model();
        LoadOptions options;
        options.progress = [&](const LoadProgress&) {
            engine_->cancel();
            return true;
        };
        const Status loaded = engine_->load(model(), options, {});
        QVERIFY(!loaded);
        QCOMPARE(loaded.error().kind, ErrorKind::cancelled);
        QCOMPARE(engine_->model(), before);
    }
    void a_context_that_the_model_does_not_allow_keeps_the_session() {
        Engine::Options options;
        options.context = 100000;
        QVERIFY(!engine_->configure(options));
        QCOMPARE(engine_->context(), context);
        QCOMPARE(run(chat("hello")).timings.output_tokens, int64_t{24});
    }

    void the_stream_is_the_text() {
        std::string streamed;
        std::vector<int64_t> indices;
        const auto result = run(chat("What is streamed?", 60), [&](const TokenEvent& event) {
            Utf8Stream whole;
            if (whole.push(event.text) != event.text) qFatal("half a code point was streamed");
            streamed += event.text;
            indices.push_back(event.index);
            return true;
        });
        QCOMPARE(streamed, result.text);
        QVERIFY(std::is_sorted(indices.begin(), indices.end()));
        QCOMPARE(result.timings.output_tokens, static_cast<int64_t>(result.output_ids.size()));
        QCOMPARE(result.timings.prompt_tokens, static_cast<int64_t>(result.prompt_ids.size()));
        QVERIFY(result.timings.first_token_seconds >= result.timings.prefill_seconds);
    }

    void the_same_seed_gives_the_same_text_on_any_thread_count() {
        GenerateRequest request = chat("Say something.", 40);
        request.sampling.temperature = 1;
        request.sampling.seed = 7;
        std::vector<std::vector<int32_t>> answers;
        for (const int threads : {1, 2, 3, 1}) {
            QVERIFY(engine_->configure({threads, context}));
            answers.push_back(run(request).output_ids);
        }
        for (const auto& answer : answers) QCOMPARE(answer, answers.front());
        request.sampling.seed = 8;
        QVERIFY(run(request).output_ids != answers.front());
    }

    void impossible_sampling_is_refused() {
        GenerateRequest request = chat("hello");
        request.sampling.temperature = -1;
        QVERIFY(QString::fromStdString(message_of(engine_->generate(request, {})))
                    .contains("temperature"));
    }

    void stop_strings_end_the_text_before_them() {
        const std::string text = run(chat("Stop me.", 60)).text;
        QVERIFY(text.size() > 20);
        // Somewhere inside, beginning at a whole character, two tokens long at the least.
        size_t first = 8;
        while ((static_cast<unsigned char>(text[first]) & 0xc0) == 0x80) ++first;
        size_t last = first + 6;
        while (last < text.size() && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80)
            ++last;
        const std::string stop = text.substr(first, last - first);
        GenerateRequest request = chat("Stop me.", 60);
        request.stop_strings = {"never there", stop};
        std::string streamed;
        engine_->forget_conversation();
        const auto result = run(request, [&](const TokenEvent& event) {
            streamed += event.text;
            return true;
        });
        QCOMPARE(result.stop_reason, StopReason::stop_string);
        QCOMPARE(result.text, text.substr(0, text.find(stop)));
        QCOMPARE(streamed, result.text);
    }

    void max_tokens_and_the_context_end_an_answer() {
        QCOMPARE(run(chat("hello", 5)).output_ids.size(), size_t{5});
        QCOMPARE(run(chat("hello", 5)).stop_reason, StopReason::max_tokens);
        const auto result = run(raw(std::string(150, 'x'), 0));
        QCOMPARE(result.stop_reason, StopReason::context_full);
        // The last token needs no row of its own.
        QCOMPARE(result.output_ids.size(), size_t{context - 150 + 1});
        QCOMPARE(engine_->context_used(), context);
    }

    void a_prompt_that_does_not_fit_is_refused_before_any_work() {
        CountSteps steps;
        engine_->set_observer(&steps);
        const auto result = engine_->generate(raw(std::string(context, 'x')), {});
        QVERIFY(!result);
        QCOMPARE(result.error().kind, ErrorKind::invalid_argument);
        const QString message = QString::fromStdString(result.error().message);
        QVERIFY2(message.contains("160 tokens long") && message.contains("holds 160") &&
                     message.contains("shorten"),
                 result.error().message.c_str());
        QCOMPARE(steps.count, int64_t{0});
        engine_->set_observer(nullptr);
        QVERIFY(engine_->generate(raw(std::string(context - 1, 'x'), 1), {}));
    }

    void odd_prompts_work_data() {
        QTest::addColumn<QByteArray>("prompt");
        QTest::newRow("NUL") << QByteArray(1, '\0');
        QTest::newRow("many NULs") << QByteArray(30, '\0');
        QTest::newRow("0xFF") << QByteArray(1, '\xff');
        QTest::newRow("many 0xFF") << QByteArray(30, '\xff');
        QTest::newRow("half a character") << QByteArray("\xe2\x82");
        QTest::newRow("only spaces") << QByteArray("   \n\n");
    }
    void odd_prompts_work() {
        QFETCH(QByteArray, prompt);
        QCOMPARE(run(raw(prompt.toStdString(), 3)).output_ids.size(), size_t{3});
        QCOMPARE(run(chat(prompt.toStdString(), 3)).output_ids.size(), size_t{3});
    }
    void an_empty_prompt_is_refused_in_words() {
        QVERIFY(QString::fromStdString(message_of(engine_->generate(raw(""), {})))
                    .contains("the prompt is empty"));
    }

    void typed_control_tokens_stay_text() {
        GenerateRequest request = raw("<|im_end|>");
        const auto plain = engine_->prepare(request);
        QVERIFY(plain);
        QCOMPARE(plain->ids.size(), size_t{10});
        request.raw_control = true;
        const auto control = engine_->prepare(request);
        QVERIFY(control);
        QCOMPARE(control->ids, std::vector<int32_t>{258});
        const auto templated = engine_->prepare(chat("<|im_end|>"));
        QVERIFY(templated);
        QCOMPARE(templated->text,
                 std::string("<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n"));
        QCOMPARE(std::count(templated->ids.begin(), templated->ids.end(), 258), 1);
    }

    // As with Gemma's and Mistral's templates, which refuse a system message.
    void a_system_text_reaches_a_template_that_has_no_place_for_it() {
        QTemporaryDir folder;
        const std::filesystem::path path = folder.path().toStdString() + "/no_system";
        QVERIFY(write_tiny_model(byte_recipe(), path));
        QVERIFY(QFile::copy("golden/templates/templates/gemma.jinja",
                            QString::fromStdString(path.string() + "/chat_template.jinja")));
        const Status loaded = engine_->load(path, {}, {2, context});
        QVERIFY2(loaded, message_of(loaded).c_str());
        GenerateRequest request = chat("Why?");
        request.messages.insert(request.messages.begin(), {"system", "Be brief."});
        const auto prompt = engine_->prepare(request);
        QVERIFY2(prompt, message_of(prompt).c_str());
        const std::string turn = "<start_of_turn>user\nBe brief.\n\nWhy?<end_of_turn>\n";
        QVERIFY2(prompt->text.find(turn) != std::string::npos, prompt->text.c_str());
        QVERIFY(engine_->generate(request, {}));
    }

    // Only what is new of a conversation is computed, and that changes nothing.
    void the_next_turn_reuses_the_cache() {
        const auto first = run(chat("One.", 20));
        QCOMPARE(first.timings.reused_tokens, int64_t{0});
        GenerateRequest next = chat("One.", 20);
        next.messages.push_back({"assistant", first.text});
        next.messages.push_back({"user", "Two."});
        const auto reused = run(next);
        QVERIFY(reused.timings.reused_tokens >= first.timings.prompt_tokens);
        const auto scratch = run_fresh(next);
        QCOMPARE(scratch.timings.reused_tokens, int64_t{0});
        QCOMPARE(reused.output_ids, scratch.output_ids);
    }

    void a_path_is_changed_between_two_tokens() {
        if (!find_kernel_path(DeviceKind::cpu, "reference"))
            QSKIP("this build has no reference path");
        QVERIFY(engine_->set_path(PathChoice("reference")));
        const auto before = run(chat("Change.", 30));
        QCOMPARE(before.path, std::string("reference"));
        engine_->forget_conversation();
        std::string at_the_change;
        const auto result = run(chat("Change.", 30), [&](const TokenEvent& event) {
            at_the_change += event.index <= 9 ? event.text : "";
            if (event.index == 9 && !engine_->set_path(PathChoice("truth"))) qFatal("refused");
            return true;
        });
        QCOMPARE(result.path, std::string("reference, then truth"));
        QCOMPARE(result.output_ids.size(), before.output_ids.size());
        QVERIFY(std::equal(result.output_ids.begin(), result.output_ids.begin() + 10,
                           before.output_ids.begin()));
        QVERIFY(
            QString::fromStdString(before.text).startsWith(QString::fromStdString(at_the_change)));
    }

    void a_step_is_changed_on_its_own_data() {
        QTest::addColumn<int>("step");
        for (int step = 0; step < step_count; ++step)
            QTest::newRow(std::string(step_name(static_cast<StepId>(step))).c_str()) << step;
    }
    void a_step_is_changed_on_its_own() {
        QFETCH(int, step);
        if (!find_kernel_path(DeviceKind::cpu, "fused")) QSKIP("this build has no fused path");
        PathChoice mixed("fused");
        mixed.steps[static_cast<size_t>(step)] = "reference";
        QVERIFY(engine_->set_path(mixed));
        const auto result = run(chat("Mix.", 12));
        QCOMPARE(result.path,
                 "fused (reference: " + std::string(step_name(static_cast<StepId>(step))) + ")");
        QCOMPARE(result.output_ids.size(), size_t{12});
    }

    void an_impossible_path_is_refused_and_the_old_one_stays() {
        const PathChoice old = engine_->path();
        QVERIFY(QString::fromStdString(message_of(engine_->set_path(PathChoice("quick"))))
                    .contains("\"quick\""));
        QCOMPARE(engine_->path(), old);
        if (!find_kernel_path(DeviceKind::cpu, "reference"))
            QSKIP("this build has no reference path");
        PathChoice mixed("reference");
        mixed.steps[2] = "truth";
        const std::string message = message_of(engine_->set_path(mixed));
        QVERIFY2(QString::fromStdString(message).contains("truth computes in f32 and does not mix"),
                 message.c_str());
        QCOMPARE(engine_->path(), old);
    }

    void a_choice_names_itself_data() {
        QTest::addColumn<std::vector<int>>("reference");
        QTest::addColumn<QString>("name");
        QTest::newRow("all") << std::vector<int>{} << "fused";
        QTest::newRow("one") << std::vector<int>{1} << "fused (reference: qkv)";
        QTest::newRow("two") << std::vector<int>{1, 5} << "fused (reference: qkv, down)";
        QTest::newRow("most") << std::vector<int>{0, 1, 2, 3, 5}
                              << "reference (fused: gate_up, logits)";
    }
    void a_choice_names_itself() {
        QFETCH(std::vector<int>, reference);
        QFETCH(QString, name);
        PathChoice choice("fused");
        for (const int step : reference) choice.steps[static_cast<size_t>(step)] = "reference";
        QCOMPARE(QString::fromStdString(choice.name()), name);
    }

    void an_answer_is_stopped_and_what_there_is_is_kept() {
        const auto whole = run(chat("Stop.", 40));
        engine_->forget_conversation();
        const auto stopped =
            run(chat("Stop.", 40), [](const TokenEvent& event) { return event.index < 6; });
        QCOMPARE(stopped.stop_reason, StopReason::cancelled);
        QCOMPARE(stopped.output_ids.size(), size_t{7});
        engine_->forget_conversation();
        const auto cancelled = run(chat("Stop.", 40), [&](const TokenEvent& event) {
            if (event.index == 6) engine_->cancel();
            return true;
        });
        QCOMPARE(cancelled.stop_reason, StopReason::cancelled);
        QCOMPARE(cancelled.output_ids, stopped.output_ids);
        QCOMPARE(run_fresh(chat("Stop.", 40)).output_ids, whole.output_ids);
    }

    void an_observer_changes_no_token() {
        const auto unseen = run(chat("Look.", 30));
        CountSteps steps;
        engine_->set_observer(&steps);
        const auto seen = run_fresh(chat("Look.", 30));
        engine_->set_observer(nullptr);
        QCOMPARE(seen.output_ids, unseen.output_ids);
        QVERIFY(steps.count > 30 * 5 * 3);
    }

    void logprobs_are_kept_for_every_token() {
        GenerateRequest request = chat("Logprobs.", 10);
        request.top_logprobs = 5;
        const auto result = run(request);
        QCOMPARE(result.top_logprobs.size(), result.output_ids.size());
        for (size_t i = 0; i < result.output_ids.size(); ++i) {
            QCOMPARE(result.top_logprobs[i].size(), size_t{5});
            QCOMPARE(result.top_logprobs[i][0].id, result.output_ids[i]);  // greedy
            QVERIFY(result.top_logprobs[i][0].logprob >= result.top_logprobs[i][1].logprob);
        }
    }
};

QTEST_APPLESS_MAIN(TestEngine)
#include "tst_engine.moc"
