// SPDX-License-Identifier: GPL-3.0-or-later
// How soon a comparison ends once it is told to, wherever it is: on 300 rows whose logits have
// 49,152 columns (SmolLM2's), every copy of them is 59 MB. Measured in the time that its thread
// computes, not the wall's, in which other processes have their share.
#include <QTest>
#include <atomic>
#include <ctime>
#include <thread>

#include "core/inspect/comparison.h"
#include "core/run/answer.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr double most_ms = 50;
constexpr int64_t vocab_size = 49152;

double cpu_ms(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// The width of a 7B model: its logits are the longest of truth's steps by far.
std::shared_ptr<const Model> wide_model() {
    TinyRecipe recipe = byte_recipe();
    recipe.config.hidden_size = 3584;
    recipe.config.vocab_size = 16384;
    recipe.config.num_hidden_layers = 1;
    return make_tiny_model(recipe, DType::bf16);
}

std::shared_ptr<const Model> model_with_many_tokens() {
    TinyRecipe recipe = byte_recipe();
    recipe.config.vocab_size = vocab_size;
    recipe.config.num_hidden_layers = 1;
    recipe.config.max_position_embeddings = 1024;
    return make_tiny_model(recipe, DType::bf16);
}

}  // namespace

class TestCancel : public QObject {
    Q_OBJECT
    std::shared_ptr<const Model> model_ = model_with_many_tokens();

    // How long the comparison computes after it was told to end at `at_ms` of its own time, or, at
    // 0, how long it takes as a whole.
    double late_ms(double at_ms) const {
        std::atomic<bool> cancel = false, done = false;
        std::atomic<double> end = 0;
        CompareRequest request;
        request.model = model_;
        request.threads = 1;  // all of the work is the one thread's
        request.prompts.emplace_back();
        for (int32_t i = 0; i < 300; ++i)
            request.prompts[0].push_back(i * 37 % static_cast<int32_t>(vocab_size));
        request.candidate = *find_kernel_path(DeviceKind::cpu, "fused");
        request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
        request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
        request.cancel = &cancel;
        bool stopped = false;
        std::thread worker([&] {
            const auto found = compare_paths(request);
            stopped = !found && found.error().kind == ErrorKind::cancelled;
            end = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
            done = true;
            while (!cancel) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        });
        clockid_t clock{};
        pthread_getcpuclockid(worker.native_handle(), &clock);
        double told = 0;
        while (at_ms > 0 && !done && (told = cpu_ms(clock)) < at_ms)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        while (at_ms == 0 && !done) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const bool in_time = !done;
        cancel = true;
        worker.join();
        if (at_ms == 0 || !in_time) return at_ms == 0 ? end.load() : 0;
        return stopped ? end - told : HUGE_VAL;
    }

  private Q_SLOTS:
    // Of some tries the best counts: what else the machine does is no property of the comparison.
    void it_ends_soon_wherever_it_is() {
        const double whole = late_ms(0);
        double worst = 0;
        for (int i = 1; i <= 9; ++i) {
            const double at = whole * i / 10;
            double late = HUGE_VAL;
            for (int tries = 0; tries < 4 && late >= most_ms; ++tries)
                late = std::min(late, late_ms(at));
            QVERIFY2(late < most_ms,
                     qPrintable(QString("%1 ms after it was told to, at %2 of %3 ms")
                                    .arg(late)
                                    .arg(at)
                                    .arg(whole)));
            worst = std::max(worst, late);
        }
        qInfo("at most %.1f ms of %.0f", worst, whole);
    }

    // Told to in the midst of that step, which takes seconds.
    void truth_s_logits_end_soon_in_a_wide_model() {
        CompareRequest request;
        request.model = wide_model();
        QVERIFY(request.model);
        request.threads = 1;
        request.prompts.emplace_back(200, 7);
        request.candidate = *find_kernel_path(DeviceKind::cpu, "fused");
        request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
        request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
        double late = HUGE_VAL;
        for (int tries = 0; tries < 4 && late >= most_ms; ++tries) {
            std::atomic<bool> begun = false, cancel = false;
            std::atomic<double> told = 0;
            CompareRequest watched = request;
            watched.cancel = &cancel;
            watched.truth.logits = [&](const LogitsArgs& args, Stream& stream) {
                begun = true;
                return request.truth.logits(args, stream);
            };
            clockid_t clock{};
            pthread_getcpuclockid(pthread_self(), &clock);
            std::thread teller([&] {
                while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
                told = cpu_ms(clock);
                cancel = true;
            });
            const auto found = compare_paths(watched);
            late = std::min(late, cpu_ms(CLOCK_THREAD_CPUTIME_ID) - told);
            teller.join();
            QVERIFY(!found && found.error().kind == ErrorKind::cancelled);
        }
        QVERIFY2(late < most_ms, qPrintable(QString("%1 ms after it was told to").arg(late)));
        qInfo("%.1f ms", late);
    }
};

QTEST_APPLESS_MAIN(TestCancel)
#include "tst_cancel.moc"
