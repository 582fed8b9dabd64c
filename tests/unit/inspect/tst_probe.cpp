// SPDX-License-Identifier: GPL-3.0-or-later
// The ways in which capture tools have lied, each a test: a probe must keep what a step put out, of
// every layer and pass, and change nothing.
#include <QTest>
#include <cstring>
#include <map>
#include <set>

#include "core/inspect/probe.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int64_t context = 64;

std::vector<int32_t> some_ids(size_t count) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>((i * 29 + 7) % 250);
    return ids;
}

std::vector<float> values(const Tensor& tensor) {
    std::vector<float> all;
    for (int64_t i = 0; i < tensor.numel(); ++i) all.push_back(element(tensor, i));
    return all;
}

// Compares what the probe kept of each step with what the step had put out at that moment.
class Witness final : public StepObserver {
  public:
    explicit Witness(Probe& probe) : probe_(probe) {}
    Status after_step(const StepArgs& args, bool unfused, Stream& stream) override {
        LOCKSTEP_TRY(probe_.after_step(args, unfused, stream));
        for (const NamedTensor& tap : step_taps(args, unfused))
            seen.push_back({step_context(args).layer, step_id(args), std::string(tap.name),
                            values(tap.tensor)});
        return {};
    }
    struct Seen {
        int layer;
        StepId step;
        std::string tap;
        std::vector<float> values;
    };
    std::vector<Seen> seen;

  private:
    Probe& probe_;
};

}  // namespace

class TestProbe : public QObject {
    Q_OBJECT
    std::shared_ptr<Model> model_;

    std::unique_ptr<Session> session() const {
        return std::move(*Session::create(model_, cpu_device(), 2, context));
    }
    std::unique_ptr<Probe> probe(Probe::Plan plan, const KernelPath& path) const {
        return std::move(*Probe::create(
            model_->config, path.f32_activations ? DType::f32 : DType::bf16, plan, cpu_device()));
    }
    static void rows_of_paths() {
        QTest::addColumn<const KernelPath*>("path");
        for (const KernelPath& path : kernel_paths(DeviceKind::cpu))
            QTest::newRow(path.name.c_str()) << &path;
    }

  private Q_SLOTS:
    void initTestCase() { model_ = make_tiny_model(byte_recipe(), DType::bf16); }

    void switched_on_it_changes_no_logit_data() { rows_of_paths(); }
    void switched_on_it_changes_no_logit() {
        QFETCH(const KernelPath*, path);
        const auto plain = session(), probed = session();
        const auto recorder = probe({17, 8, 17}, *path);
        std::vector<int32_t> batch = some_ids(17);
        for (int pass = 0; pass <= 8; ++pass) {
            recorder->begin_pass(pass);
            const auto without = Forward::run(*plain, *path, batch, {nullptr, nullptr, pass == 0});
            const auto with =
                Forward::run(*probed, *path, batch, {nullptr, recorder.get(), pass == 0});
            QVERIFY2(with.has_value(), with ? "" : with.error().message.c_str());
            QCOMPARE(values(*with), values(*without));
            const float* last = without->as<float>() + without->numel() - without->shape[1];
            batch = {static_cast<int32_t>(std::max_element(last, last + without->shape[1]) - last)};
        }
    }

    // Dumps that were identical for every layer; dumps overwritten by later steps; decode steps
    // that all showed the first one.
    void every_layer_and_pass_keeps_its_own_data() { rows_of_paths(); }
    void every_layer_and_pass_keeps_its_own() {
        QFETCH(const KernelPath*, path);
        const auto own = session();
        const auto recorder = probe({5, 3, 1}, *path);
        std::vector<std::vector<Witness::Seen>> seen;
        for (int pass = 0; pass <= 3; ++pass) {
            Witness witness(*recorder);
            recorder->begin_pass(pass);
            const auto ids = some_ids(pass == 0 ? 5 : 1);
            QVERIFY(Forward::run(*own, *path, ids, {nullptr, &witness, false}).has_value());
            seen.push_back(witness.seen);
        }
        for (int pass = 0; pass <= 3; ++pass) {
            for (const Witness::Seen& tap : seen[static_cast<size_t>(pass)]) {
                const TapRecord* kept = recorder->find(pass, tap.layer, tap.step, tap.tap);
                QVERIFY(kept);
                QCOMPARE(values(kept->tensor), tap.values);
            }
        }
        const auto hidden = [&](int layer) {
            return values(recorder->find(0, layer, StepId::down, "hidden")->tensor);
        };
        QVERIFY(hidden(0) != hidden(1));
        QVERIFY(hidden(1) != hidden(2));
    }

    // Hooks that saw the first call only, or every call as the first: the same token in each pass,
    // and no two passes look alike where the cache plays a part.
    void the_same_token_again_is_another_pass() {
        const KernelPath& path = *find_kernel_path(DeviceKind::cpu, "fused");
        const auto own = session();
        const auto recorder = probe({3, 4, 1}, path);
        for (int pass = 0; pass <= 4; ++pass) {
            recorder->begin_pass(pass);
            const std::vector<int32_t> ids = pass == 0 ? some_ids(3) : std::vector<int32_t>{65};
            QVERIFY(Forward::run(*own, path, ids, {nullptr, recorder.get(), false}).has_value());
        }
        std::set<std::vector<float>> hidden, k, logits;
        for (int pass = 1; pass <= 4; ++pass) {
            hidden.insert(values(recorder->find(pass, 2, StepId::down, "hidden")->tensor));
            k.insert(values(recorder->find(pass, 0, StepId::qkv, "k")->tensor));
            logits.insert(values(recorder->find(pass, 3, StepId::logits, "logits")->tensor));
        }
        QCOMPARE(hidden.size(), size_t{4});
        QCOMPARE(k.size(), size_t{4});
        QCOMPARE(logits.size(), size_t{4});
        QCOMPARE(recorder->records().size(), size_t{5 * (1 + 3 * 7 + 1)});
    }

    // Strided outputs that were kept as if they were dense, and views whose memory was used again.
    void a_step_is_kept_as_what_it_meant_at_that_moment_data() {
        QTest::addColumn<StepId>("step");
        QTest::addColumn<bool>("strided");
        for (int i = 0; i < step_count; ++i) {
            const auto step = static_cast<StepId>(i);
            for (const bool strided : {false, true}) {
                const std::string row =
                    std::string(step_name(step)) + (strided ? " strided" : " dense");
                QTest::newRow(row.c_str()) << step << strided;
            }
        }
    }
    void a_step_is_kept_as_what_it_meant_at_that_moment() {
        QFETCH(StepId, step);
        QFETCH(bool, strided);
        const ModelConfig& config = model_->config;
        StepShape shape;
        shape.rows = 5;
        shape.first_row = 3;
        shape.hidden_size = config.hidden_size;
        shape.num_attention_heads = config.num_attention_heads;
        shape.num_key_value_heads = config.num_key_value_heads;
        shape.head_dim = config.head_dim;
        shape.intermediate_size = config.intermediate_size;
        shape.vocab_size = config.vocab_size;
        SampleOptions options;
        options.strided = strided;
        const KernelPath& path = *find_kernel_path(DeviceKind::cpu, "reference");
        const auto sample = make_sample_step(step, shape, options);
        QVERIFY2(sample.has_value(), sample ? "" : sample.error().message.c_str());
        const auto stream = cpu_device().make_stream(1);
        QVERIFY(run_step(path, sample->args, **stream).has_value());
        const auto recorder = probe({5, 0, 5}, path);
        QVERIFY(recorder->after_step(sample->args, true, **stream).has_value());
        std::map<std::string, std::vector<float>> meant;
        for (const NamedTensor& tap : step_taps(sample->args, true))
            meant[std::string(tap.name)] = values(tap.tensor);
        for (const Buffer& buffer : sample->buffers)
            std::memset(buffer.data(), 0x55, buffer.bytes());
        QCOMPARE(recorder->records().size(), meant.size());
        for (const TapRecord& record : recorder->records()) {
            QVERIFY(record.tensor.contiguous());
            QCOMPARE(values(record.tensor), meant[record.tap]);
        }
    }

    void batches_of_a_prefill_are_joined() {
        const KernelPath& path = *find_kernel_path(DeviceKind::cpu, "truth");
        const auto ids = some_ids(20);
        const auto whole = probe({20, 0, 1}, path), joined = probe({20, 0, 2}, path);
        const auto one = session(), two = session();
        QVERIFY(Forward::run(*one, path, ids, {nullptr, whole.get(), false}).has_value());
        const std::span<const int32_t> all(ids);
        QVERIFY(
            Forward::run(*two, path, all.first(13), {nullptr, joined.get(), false}).has_value());
        QVERIFY(
            Forward::run(*two, path, all.subspan(13), {nullptr, joined.get(), false}).has_value());
        for (const char* tap : {"q", "k", "v"}) {
            const Tensor a = whole->find(0, 2, StepId::qkv, tap)->tensor;
            const Tensor b = joined->find(0, 2, StepId::qkv, tap)->tensor;
            QCOMPARE(b.description(), a.description());
            QCOMPARE(values(b), values(a));
        }
    }

    void more_rows_than_planned_are_refused() {
        const KernelPath& path = *find_kernel_path(DeviceKind::cpu, "truth");
        const auto small = probe({3, 0, 1}, path);
        const auto own = session();
        const auto ids = some_ids(4);
        const auto ran = Forward::run(*own, path, ids, {nullptr, small.get(), false});
        QVERIFY(!ran.has_value());
        QVERIFY(ran.error().message.find("planned for fewer rows") != std::string::npos);
    }

    // Non-contiguous tensors that were saved as if they were contiguous.
    void any_strides_are_copied_as_what_they_mean_data() {
        QTest::addColumn<QList<qint64>>("shape");
        QTest::addColumn<QList<qint64>>("stride");
        QTest::newRow("contiguous") << QList<qint64>{2, 3, 4} << QList<qint64>{12, 4, 1};
        QTest::newRow("rows of a wider tensor")
            << QList<qint64>{2, 3, 4} << QList<qint64>{20, 4, 1};
        QTest::newRow("a slice of heads") << QList<qint64>{2, 3, 4} << QList<qint64>{30, 7, 1};
        QTest::newRow("transposed") << QList<qint64>{4, 3, 2} << QList<qint64>{1, 4, 12};
        QTest::newRow("every second column") << QList<qint64>{2, 3, 4} << QList<qint64>{24, 8, 2};
        QTest::newRow("a broadcast row") << QList<qint64>{2, 3, 4} << QList<qint64>{0, 4, 1};
        QTest::newRow("a broadcast column") << QList<qint64>{2, 3, 4} << QList<qint64>{3, 1, 0};
        QTest::newRow("one row") << QList<qint64>{1, 1, 4} << QList<qint64>{99, 77, 1};
    }
    void any_strides_are_copied_as_what_they_mean() {
        QFETCH(QList<qint64>, shape);
        QFETCH(QList<qint64>, stride);
        std::vector<uint16_t> memory(200);
        for (size_t i = 0; i < memory.size(); ++i)
            memory[i] = bf16_from_float(static_cast<float>(i));
        Tensor view(memory.data(), DType::bf16, {shape[0], shape[1], shape[2]});
        for (int d = 0; d < 3; ++d) view.stride[static_cast<size_t>(d)] = stride[d];
        std::vector<uint16_t> copied(static_cast<size_t>(view.numel()) + 1, 0xabcd);
        auto stream = cpu_device().make_stream(1);
        QVERIFY(copy_contiguous(view, copied.data(), **stream).has_value());
        const Tensor copy(copied.data(), DType::bf16, {shape[0], shape[1], shape[2]});
        QCOMPARE(values(copy), values(view));
        QCOMPARE(copied.back(), uint16_t{0xabcd});
    }
};

QTEST_APPLESS_MAIN(TestProbe)
#include "tst_probe.moc"
