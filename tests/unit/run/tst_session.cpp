// SPDX-License-Identifier: GPL-3.0-or-later
// What a session remembers, and that the forward pass gives the same whatever way its tokens come.
#include <QTest>
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/support/model_run.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

// Counts what the whole program allocates.
static std::atomic<int64_t> allocations = 0;

void* operator new(size_t bytes) {
    ++allocations;
    if (void* data = std::malloc(bytes ? bytes : 1)) return data;
    throw std::bad_alloc();
}
void operator delete(void* data) noexcept {
    std::free(data);
}
void operator delete(void* data, size_t) noexcept {
    std::free(data);
}

namespace {

std::vector<int32_t> some_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

std::vector<float> last_logits(const Result<Tensor>& logits) {
    if (!logits) return {};
    const float* first = logits->as<const float>() + logits->numel() - logits->shape[1];
    return {first, first + logits->shape[1]};
}

class CountSteps final : public StepObserver {
  public:
    Status after_step(const StepArgs& args, bool, Stream&) override {
        ++count;
        last_layer = std::visit([](const auto& step) { return step.context.layer; }, args);
        return fail_at == count ? fail(ErrorKind::internal, "seen enough") : Status();
    }
    int count = 0, last_layer = -1, fail_at = 0;
};

}  // namespace

class TestSession : public QObject {
    Q_OBJECT
  private:
    std::shared_ptr<Model> model_;
    std::unique_ptr<Session> session(int64_t context = 200) const {
        auto made = Session::create(model_, cpu_device(), 2, context);
        return made ? std::move(*made) : nullptr;
    }
    void rows_of_paths() const {
        QTest::addColumn<const KernelPath*>("path");
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu))
            QTest::newRow(path.name.c_str()) << &path;
    }
    std::vector<int32_t> ids(size_t count) const {
        return some_ids(count, model_->config.vocab_size);
    }

  private Q_SLOTS:
    void initTestCase() { model_ = make_tiny_model(byte_recipe(), DType::bf16); }

    void a_context_that_the_model_does_not_allow_is_refused_data() {
        QTest::addColumn<int64_t>("context");
        QTest::newRow("none") << int64_t{0};
        QTest::newRow("negative") << int64_t{-1};
        QTest::newRow("too long") << int64_t{513};
    }
    void a_context_that_the_model_does_not_allow_is_refused() {
        QFETCH(int64_t, context);
        const auto made = Session::create(model_, cpu_device(), 1, context);
        QVERIFY(!made);
        QVERIFY(QString::fromStdString(made.error().message).contains("1 to 512"));
    }

    void wrong_tokens_are_refused_data() {
        QTest::addColumn<std::vector<int32_t>>("tokens");
        QTest::addColumn<QString>("words");
        QTest::newRow("none") << std::vector<int32_t>{} << "1 to 20 tokens, not 0";
        QTest::newRow("too many") << std::vector<int32_t>(21) << "1 to 20 tokens, not 21";
        QTest::newRow("negative") << std::vector<int32_t>{3, -1}
                                  << "token -1 is outside the vocabulary of 259";
        QTest::newRow("too large")
            << std::vector<int32_t>{259} << "token 259 is outside the vocabulary of 259";
    }
    void wrong_tokens_are_refused() {
        QFETCH(std::vector<int32_t>, tokens);
        QFETCH(QString, words);
        const auto fresh = session(20);
        const auto ran = Forward::run(*fresh, kernel_paths(DeviceKind::cpu)[0], tokens, {});
        QVERIFY(!ran);
        QVERIFY2(QString::fromStdString(ran.error().message).contains(words),
                 ran.error().message.c_str());
        QVERIFY(fresh->tokens().empty());
    }
    void a_full_context_takes_no_more() {
        const auto full = session(20);
        const KernelPath& path = kernel_paths(DeviceKind::cpu)[0];
        QVERIFY(Forward::run(*full, path, ids(20), {}));
        const auto ran = Forward::run(*full, path, ids(1), {});
        QVERIFY(!ran);
        QCOMPARE(ran.error().message,
                 std::string("the context of 20 tokens holds 20: 1 more do not fit"));
        QCOMPARE(full->tokens().size(), size_t{20});
    }

    void the_longest_common_prefix_is_kept_data() {
        QTest::addColumn<std::vector<int32_t>>("next");
        QTest::addColumn<int64_t>("kept");
        QTest::newRow("a longer one") << std::vector<int32_t>{1, 2, 3, 4, 5} << int64_t{4};
        QTest::newRow("parts in the middle") << std::vector<int32_t>{1, 2, 9, 4, 5} << int64_t{2};
        QTest::newRow("nothing in common") << std::vector<int32_t>{9} << int64_t{0};
        QTest::newRow("the same: one is left to run")
            << std::vector<int32_t>{1, 2, 3, 4} << int64_t{3};
        QTest::newRow("a shorter one") << std::vector<int32_t>{1, 2} << int64_t{1};
        QTest::newRow("empty") << std::vector<int32_t>{} << int64_t{0};
    }
    void the_longest_common_prefix_is_kept() {
        QFETCH(std::vector<int32_t>, next);
        QFETCH(int64_t, kept);
        const auto used = session(20);
        QVERIFY(Forward::run(*used, kernel_paths(DeviceKind::cpu)[0],
                             std::vector<int32_t>{1, 2, 3, 4}, {}));
        QCOMPARE(used->keep_common_prefix(next), kept);
        QCOMPARE(used->tokens().size(), static_cast<size_t>(kept));
    }

    // Truth computes each row for itself, so the bits are the same; the others may sum in another
    // order for one row than for many.
    void the_same_logits_however_the_prompt_is_split_data() { rows_of_paths(); }
    void the_same_logits_however_the_prompt_is_split() {
        QFETCH(const KernelPath*, path);
        const std::vector<int32_t> all = ids(61);
        const std::span<const int32_t> tokens = all;
        const auto whole = session(), split = session(), reused = session();
        const auto expected = last_logits(Forward::run(*whole, *path, tokens, {}));
        QVERIFY(Forward::run(*split, *path, tokens.first(17), {}));
        QVERIFY(Forward::run(*split, *path, tokens.subspan(17, 43), {}));
        const auto from_parts = last_logits(Forward::run(*split, *path, tokens.last(1), {}));
        QVERIFY(Forward::run(*reused, *path, ids(100), {}));
        QCOMPARE(reused->keep_common_prefix(tokens), int64_t{60});
        const auto from_prefix = last_logits(Forward::run(*reused, *path, tokens.last(1), {}));
        if (path->name == "truth") QVERIFY(from_parts == expected && from_prefix == expected);
        const double tolerance = 0.05;
        QCOMPARE(outside_tolerance(from_parts, expected, tolerance, tolerance), std::string());
        QCOMPARE(outside_tolerance(from_prefix, expected, tolerance, tolerance), std::string());
    }

    void an_observer_changes_no_bit_data() { rows_of_paths(); }
    void an_observer_changes_no_bit() {
        QFETCH(const KernelPath*, path);
        const auto seen = session(), unseen = session();
        CountSteps observer;
        ForwardOptions observed;
        observed.observer = &observer;
        const auto a = last_logits(Forward::run(*seen, *path, ids(33), observed));
        const auto b = last_logits(Forward::run(*unseen, *path, ids(33), {}));
        QVERIFY(!a.empty() && a == b);
        QCOMPARE(observer.count, 2 + 5 * static_cast<int>(model_->config.num_hidden_layers));
        QCOMPARE(observer.last_layer, static_cast<int>(model_->config.num_hidden_layers));
    }

    void every_row_has_logits_where_asked() {
        const KernelPath& path = *find_kernel_path(DeviceKind::cpu, "truth");
        const auto all = session(), one = session();
        ForwardOptions options;
        options.all_logits = true;
        const auto rows = Forward::run(*all, path, ids(9), options);
        QVERIFY(rows);
        QCOMPARE(rows->shape[0], int64_t{9});
        const std::vector<int32_t> tokens = ids(9);
        for (int64_t row = 0; row < 9; ++row) {
            const auto logits = Forward::run(
                *one, path, std::span(tokens).subspan(static_cast<size_t>(row), 1), {});
            QVERIFY(logits);
            const size_t width = static_cast<size_t>(logits->shape[1]);
            const std::span<const float> expected(
                rows->as<const float>() + static_cast<size_t>(row) * width, width);
            const std::string wrong = outside_tolerance(std::span(logits->as<const float>(), width),
                                                        expected, 1e-5, 1e-5);
            QVERIFY2(wrong.empty(), wrong.c_str());
        }
    }

    // Truth takes over a bf16 cache, and gives it back.
    void the_cache_changes_its_dtype_with_the_path() {
        const KernelPath& truth = *find_kernel_path(DeviceKind::cpu, "truth");
        const KernelPath* reference = find_kernel_path(DeviceKind::cpu, "reference");
        if (!reference) QSKIP("this build has no reference path");
        const auto used = session();
        const std::vector<int32_t> all = ids(40);
        const std::span<const int32_t> tokens = all;
        QVERIFY(Forward::run(*used, *reference, tokens.first(30), {}));
        QCOMPARE(used->activation_dtype(), DType::bf16);
        const auto by_truth = last_logits(Forward::run(*used, truth, tokens.subspan(30, 5), {}));
        QCOMPARE(used->activation_dtype(), DType::f32);
        const auto back = last_logits(Forward::run(*used, *reference, tokens.subspan(35), {}));
        QCOMPARE(used->activation_dtype(), DType::bf16);
        const auto exact = session();
        QVERIFY(Forward::run(*exact, truth, tokens.first(35), {}));
        const auto expected = last_logits(Forward::run(*exact, truth, tokens.subspan(35), {}));
        QCOMPARE(outside_tolerance(back, expected, 0.1, 0.1), std::string());
        QVERIFY(!by_truth.empty());
    }

    void a_stopped_pass_leaves_the_session_as_it_was() {
        const KernelPath& path = kernel_paths(DeviceKind::cpu)[0];
        const auto used = session();
        QVERIFY(Forward::run(*used, path, ids(5), {}));
        const std::atomic<bool> cancel = true;
        ForwardOptions options;
        options.cancel = &cancel;
        const auto stopped = Forward::run(*used, path, ids(3), options);
        QVERIFY(!stopped);
        QCOMPARE(stopped.error().kind, ErrorKind::cancelled);
        QCOMPARE(used->tokens().size(), size_t{5});
    }

    void an_error_says_which_path_step_and_layer() {
        KernelPath broken = kernel_paths(DeviceKind::cpu)[0];
        broken.name = "broken";
        broken.gate_up = [](const GateUpArgs& args, Stream&) -> Status {
            return args.context.layer == 1 ? fail(ErrorKind::internal, "no such thing") : Status();
        };
        const auto used = session();
        const auto ran = Forward::run(*used, broken, ids(2), {});
        QVERIFY(!ran);
        QCOMPARE(ran.error().message,
                 std::string("path broken, step gate_up of layer 1: no such thing"));
        QVERIFY(used->tokens().empty());
    }

    void an_observer_that_fails_ends_the_pass() {
        CountSteps observer;
        observer.fail_at = 4;
        ForwardOptions options;
        options.observer = &observer;
        const auto used = session();
        QVERIFY(!Forward::run(*used, kernel_paths(DeviceKind::cpu)[0], ids(2), options));
        QCOMPARE(observer.count, 4);
        QVERIFY(used->tokens().empty());
    }

    void a_fused_token_allocates_nothing() {
        const KernelPath* fused = find_kernel_path(DeviceKind::cpu, "fused");
        if (!fused) QSKIP("this build has no fused path");
        const auto used = session();
        const std::vector<int32_t> tokens = ids(40);
        for (size_t i = 0; i < 8; ++i)
            QVERIFY(Forward::run(*used, *fused, std::span(tokens).subspan(i, 1), {}));
        const int64_t before = allocations;
        for (size_t i = 8; i < 40; ++i) {
            if (!Forward::run(*used, *fused, std::span(tokens).subspan(i, 1), {})) QFAIL("failed");
        }
        QCOMPARE(allocations.load(), before);
        QVERIFY(allocations > 0);  // the counter counts
    }

    // A batch is never so long that a stop would have to wait for it.
    void batches_shrink_with_the_model_the_position_and_the_path() {
        const auto fresh = session();
        const KernelPath& truth = *find_kernel_path(DeviceKind::cpu, "truth");
        QVERIFY(fresh->batch_rows(truth) >= 1);
        QVERIFY(fresh->batch_rows(truth) <= fresh->max_batch());
        QVERIFY(fresh->max_batch() <= fresh->context());
    }
};

QTEST_APPLESS_MAIN(TestSession)
#include "tst_session.moc"
