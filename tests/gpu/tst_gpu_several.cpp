// SPDX-License-Identifier: GPL-3.0-or-later
// Several GPUs: the one that was chosen does the work and holds the memory, in the engine and in
// the window, and two of them do not disturb each other.
#include <QComboBox>
#include <QTest>
#include <array>
#include <thread>

#include "core/model/model_copy.h"
#include "core/run/forward.h"
#include "kernels/gpu_info.h"
#include "tests/gui/window_fixture.h"
#include "tests/support/engine_requests.h"
#include "tests/support/tiny_model.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr size_t leeway = size_t{8} << 20;

// A prompt's logits, then those of decode steps, recorded as in a chat.
Result<std::vector<float>> logits_of(const std::shared_ptr<const Model>& model, const char* path) {
    LOCKSTEP_ASSIGN(const auto session, Session::create(model, device_of(*model), 0, 128));
    std::vector<int32_t> ids(70);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>((i * 37 + 11) % 259);
    std::vector<float> all;
    ForwardOptions options;
    options.replay_key = 1;
    std::span<const int32_t> rest = ids;
    for (size_t rows = 60; !rest.empty(); rows = 1) {
        LOCKSTEP_ASSIGN(const Tensor logits,
                        Forward::run(*session, *find_kernel_path(DeviceKind::cuda, path),
                                     rest.first(rows), options));
        all.insert(all.end(), logits.as<const float>(), logits.as<const float>() + logits.numel());
        rest = rest.subspan(rows);
    }
    return all;
}

}  // namespace

class TestGpuSeveral : public QObject {
    Q_OBJECT
    std::vector<Device*> gpus_;
    std::vector<std::shared_ptr<const Model>> tiny_;  // one on each
    QString default_model_;

    std::vector<size_t> free_memory() const {
        std::vector<size_t> free;
        for (const Device* gpu : gpus_) free.push_back(gpu->free_memory());
        return free;
    }

  private Q_SLOTS:
    void initTestCase() {
        const auto found = find_gpus();
        if (!found) QSKIP(found.error().message.c_str());
        if (found->size() < 2) QSKIP("no usable NVIDIA GPU beside the first");
        const auto model = make_tiny_model(byte_recipe(), DType::bf16);
        for (int index = 0; index < 2; ++index) {
            const auto device = cuda_device(index);
            QVERIFY2(device, device ? "" : device.error().message.c_str());
            gpus_.push_back(*device);
            auto copy = copy_model(*model, **device);
            QVERIFY(copy);
            tiny_.push_back(*copy);
        }
        default_model_ = defaultModel();
        if (default_model_.isEmpty()) QSKIP("the default model is not here");
    }

    void each_computes_the_same() {
        for (const char* path : {"truth", "reference", "fused"}) {
            const auto first = logits_of(tiny_[0], path), second = logits_of(tiny_[1], path);
            QVERIFY2(first, first ? "" : first.error().message.c_str());
            QVERIFY2(second, second ? "" : second.error().message.c_str());
            QVERIFY(*first == *second);
        }
    }

    // The calling thread's current GPU is CUDA's own state: each call must set it.
    void two_work_at_the_same_time() {
        const auto alone = logits_of(tiny_[0], "fused");
        QVERIFY(alone);
        std::array<int, 2> right{};
        {
            std::vector<std::jthread> threads;
            for (size_t gpu = 0; gpu < 2; ++gpu) {
                threads.emplace_back([&, gpu] {
                    for (int i = 0; i < 20; ++i) {
                        const auto own = logits_of(tiny_[gpu], i % 2 ? "reference" : "fused");
                        right[gpu] += own && (i % 2 || *own == *alone);
                    }
                });
            }
        }
        QCOMPARE(right[0], 20);
        QCOMPARE(right[1], 20);
        // And by turns on one thread.
        for (int i = 0; i < 6; ++i) {
            const auto own = logits_of(tiny_[static_cast<size_t>(i % 2)], "fused");
            QVERIFY(own && *own == *alone);
        }
    }

    void memory_is_taken_where_it_was_chosen() {
        const auto before = free_memory();
        Engine engine;
        QVERIFY(engine.load(default_model_.toStdString(), load_on(*gpus_[1]), {}));
        const auto answer = engine.generate(chat_request("What is the capital of France?", 24), {});
        QVERIFY2(answer, answer ? "" : answer.error().message.c_str());
        QVERIFY(answer->text.find("Paris") != std::string::npos);
        const auto after = free_memory();
        qInfo("taken: %zu MB of GPU 0, %zu MB of GPU 1", (before[0] - after[0]) >> 20,
              (before[1] - after[1]) >> 20);
        QVERIFY(after[0] + leeway >= before[0]);
        QVERIFY(before[1] - after[1] >
                static_cast<size_t>(engine.model()->weights.bytes_per_token()));
    }

    void the_window_lists_and_uses_them() {
        WindowFixture fixture;
        MainWindow& window = fixture.open(default_model_);
        VERIFY_LOADED(window);
        SettingsDialog* const dialog = window.openSettings();
        auto* const box = dialog->findChild<QComboBox*>(QStringLiteral("device"));
        QVERIFY(box);
        for (int i = 0; i < box->count(); ++i) qInfo("%d: %s", i, qPrintable(box->itemText(i)));
        QVERIFY(box->count() >= 4);  // automatic, CPU, and each GPU
        QVERIFY(box->itemText(2) != box->itemText(3));
        const auto before = free_memory();
        box->setCurrentIndex(3);
        Q_EMIT box->activated(3);
        // The first GPU's memory comes back, the second's is taken.
        QTRY_VERIFY_WITH_TIMEOUT(free_memory()[1] + leeway < before[1], load_ms);
        VERIFY_LOADED(window);
        window.chat()->send(QStringLiteral("What is the capital of France?"));
        VERIFY_ANSWERED(window);
        QVERIFY(fixture.lastText().contains(QStringLiteral("Paris")));
        QVERIFY(free_memory()[0] > before[0]);
        qInfo("%s", qPrintable(window.findChild<StatusLine*>()->deviceText()));
    }
};

QTEST_MAIN(TestGpuSeveral)
#include "tst_gpu_several.moc"
