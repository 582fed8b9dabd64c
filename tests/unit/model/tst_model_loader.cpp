// SPDX-License-Identifier: GPL-3.0-or-later
#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>
#include <cstring>

#include "core/model/model_loader.h"
#include "tests/support/model_files.h"

using namespace lockstep;

namespace {

// The CPU with as much memory as a test says.
class SmallDevice final : public Device {
  public:
    explicit SmallDevice(size_t free) : free_(free) {}
    DeviceKind kind() const override { return DeviceKind::cpu; }
    std::string name() const override { return "a small machine"; }
    size_t free_memory() const override { return free_; }
    Result<Buffer> allocate(size_t bytes) override {
        allocated += bytes;
        return cpu_device().allocate(bytes);
    }
    void release(void* data, size_t bytes) noexcept override { cpu_device().release(data, bytes); }
    Result<std::unique_ptr<Stream>> make_stream(int threads) override {
        return cpu_device().make_stream(threads);
    }
    Status copy_to_host(void* to, const void* from, size_t bytes, Stream& s) override {
        return cpu_device().copy_to_host(to, from, bytes, s);
    }
    Status copy_from_host(void* to, const void* from, size_t bytes, Stream& s) override {
        return cpu_device().copy_from_host(to, from, bytes, s);
    }
    Status copy(void* to, const void* from, size_t bytes, Stream& s) override {
        return cpu_device().copy(to, from, bytes, s);
    }
    size_t allocated = 0;

  private:
    size_t free_;
};

std::vector<float> values(const Tensor& tensor) {
    std::vector<float> all(static_cast<size_t>(tensor.numel()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = element(tensor, static_cast<int64_t>(i));
    return all;
}

// What test::counting_floats writes.
std::vector<float> counted(size_t count) {
    std::vector<float> all(count);
    for (size_t i = 0; i < count; ++i) all[i] = static_cast<float>(i) / 1024;
    return all;
}

QByteArray words(const Result<std::shared_ptr<const Model>>& result) {
    return result ? QByteArray("(loaded)") : QByteArray::fromStdString(result.error().message);
}

}  // namespace

class TestModelLoader : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;
    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }
    std::filesystem::path write_gguf(const test::GgufWriter& writer) const {
        test::write_file(path("m.gguf"), writer.bytes());
        return path("m.gguf");
    }

  private Q_SLOTS:
    void initTestCase() {
        test::write_tiny_folder(path("one"));
        test::write_tiny_shards(path("sharded"));
    }

    void a_folder_is_loaded_as_it_is_data() {
        QTest::addColumn<QString>("folder");
        QTest::addColumn<int>("dtype");
        for (const char* folder : {"one", "sharded"}) {
            for (DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                const std::string name =
                    std::string(folder) + ", " + std::string(dtype_info(dtype).name);
                QTest::newRow(name.c_str()) << QString(folder) << static_cast<int>(dtype);
            }
        }
    }
    void a_folder_is_loaded_as_it_is() {
        QFETCH(QString, folder);
        QFETCH(int, dtype);
        LoadOptions options;
        options.dtype = static_cast<DType>(dtype);
        const auto loaded = load_model(path(folder.toUtf8()), options);
        QVERIFY2(loaded, words(loaded));
        const Model& model = **loaded;
        QCOMPARE(model.name, folder.toStdString());
        QCOMPARE(model.source_format, std::string("safetensors F32"));
        QCOMPARE(model.template_problem, std::string());
        QCOMPARE(model.tokenizer->vocab_size(), 40);
        QCOMPARE(model.weights.layers.size(), size_t{2});
        const Tensor& q = model.weights.layers[1].q_proj;
        QCOMPARE(q.dtype, options.dtype);
        // Counting in 1024ths is exact in f16 and f32; bf16 rounds.
        std::vector<float> expected = counted(32 * 32);
        if (options.dtype == DType::bf16) {
            for (float& value : expected) value = float_from_bf16(bf16_from_float(value));
        }
        QCOMPARE(values(q), expected);
    }

    // Row 2i + j of a head in the file is row j * D/2 + i in memory; other tensors stay as they
    // are.
    void llama_gguf_rows_are_put_back() {
        LoadOptions options;
        options.dtype = DType::f32;
        const auto loaded = load_model(write_gguf(test::tiny_gguf()), options);
        QVERIFY2(loaded, words(loaded));
        const LayerWeights& layer = (*loaded)->weights.layers[0];
        const std::vector<float> stored = counted(32 * 32);
        const std::vector<float> q = values(layer.q_proj), k = values(layer.k_proj);
        for (size_t head = 0; head < 2; ++head) {
            for (size_t i = 0; i < 8; ++i) {
                for (size_t j = 0; j < 2; ++j) {
                    const size_t in_file = (head * 16 + 2 * i + j) * 32,
                                 in_memory = (head * 16 + j * 8 + i) * 32;
                    for (size_t column = 0; column < 32; ++column) {
                        QCOMPARE(q[in_memory + column], stored[in_file + column]);
                        if (head == 0) QCOMPARE(k[in_memory + column], stored[in_file + column]);
                    }
                }
            }
        }
        QCOMPARE(values(layer.v_proj), counted(16 * 32));
        QCOMPARE(values(layer.o_proj), counted(32 * 32));
    }
    void qwen2_gguf_rows_stay_where_they_are() {
        test::GgufWriter writer = test::tiny_gguf();
        for (auto& [key, value] : writer.metadata) {
            if (key.starts_with("llama.")) key.replace(0, 5, "qwen2");
        }
        writer.set("general.architecture", test::gguf::string("qwen2"));
        for (const char* layer : {"blk.0.", "blk.1."}) {
            for (const auto& [name, size] :
                 {std::pair{"attn_q.bias", 32}, {"attn_k.bias", 16}, {"attn_v.bias", 16}}) {
                const auto count = static_cast<uint64_t>(size);
                writer.tensors.push_back(
                    {std::string(layer) + name, {count}, 0, test::counting_floats(count), -1});
            }
        }
        LoadOptions options;
        options.dtype = DType::f32;
        const auto loaded = load_model(write_gguf(writer), options);
        QVERIFY2(loaded, words(loaded));
        QCOMPARE((*loaded)->config.architecture, Architecture::qwen2);
        QCOMPARE(values((*loaded)->weights.layers[0].q_proj), counted(32 * 32));
        QCOMPARE(values((*loaded)->weights.layers[0].q_bias), counted(32));
    }
    void a_llama_bias_is_put_back_too() {
        test::GgufWriter writer = test::tiny_gguf();
        for (const char* layer : {"blk.0.", "blk.1."}) {
            for (const auto& [name, size] :
                 {std::pair{"attn_q.bias", 32}, {"attn_k.bias", 16}, {"attn_v.bias", 16}}) {
                const auto count = static_cast<uint64_t>(size);
                writer.tensors.push_back(
                    {std::string(layer) + name, {count}, 0, test::counting_floats(count), -1});
            }
        }
        LoadOptions options;
        options.dtype = DType::f32;
        const auto loaded = load_model(write_gguf(writer), options);
        QVERIFY2(loaded, words(loaded));
        const std::vector<float> k = values((*loaded)->weights.layers[1].k_bias);
        QCOMPARE(k[1] * 1024, 2.0f);
        QCOMPARE(k[8] * 1024, 1.0f);
    }
    void frequency_factors_divide() {
        test::GgufWriter writer = test::tiny_gguf();
        std::string factors;
        for (int i = 0; i < 8; ++i) factors += test::raw(static_cast<float>(1 << i));
        writer.tensors.push_back({"rope_freqs.weight", {8}, 0, factors, -1});
        const auto plain = load_model(path("one"), {});
        const auto scaled = load_model(write_gguf(writer), {});
        QVERIFY2(plain && scaled, words(scaled));
        const auto before = rope_inv_freq((*plain)->config),
                   after = rope_inv_freq((*scaled)->config);
        for (size_t i = 0; i < 8; ++i) QCOMPARE(after[i], before[i] / static_cast<float>(1 << i));
    }
    void a_zero_bias_that_the_engine_lacks_is_no_obstacle() {
        test::GgufWriter writer = test::tiny_gguf();
        writer.tensors.push_back({"blk.0.attn_output.bias", {32}, 0, std::string(128, '\0'), -1});
        QVERIFY(load_model(write_gguf(writer), {}));
    }

    void memory_is_estimated_and_refused() {
        const auto needed = estimate_memory(path("one"), {});
        QVERIFY(needed);
        SmallDevice enough(static_cast<size_t>(needed->total())),
            short_by_one(static_cast<size_t>(needed->total()) - 1);
        LoadOptions options;
        options.device = &enough;
        const auto loaded = load_model(path("one"), options);
        QVERIFY2(loaded, words(loaded));
        QCOMPARE(static_cast<int64_t>(enough.allocated), needed->weights);
        options.device = &short_by_one;
        const auto refused = load_model(path("one"), options);
        QVERIFY(!refused);
        QCOMPARE(refused.error().kind, ErrorKind::out_of_memory);
        QVERIFY2(words(refused).contains("are free on a small machine"), words(refused));
        QCOMPARE(short_by_one.allocated, size_t{0});
    }
    void a_longer_context_and_a_wider_dtype_need_more() {
        LoadOptions options;
        options.context = 32;
        const auto half = estimate_memory(path("one"), options);
        options.context = 1'000'000;  // the model knows 64 positions
        const auto whole = estimate_memory(path("one"), options);
        QVERIFY(half && whole);
        QCOMPARE(whole->kv_cache, 2 * half->kv_cache);
        // keys and values, 2 layers, 64 positions, 16 numbers of 2 bytes
        QCOMPARE(whole->kv_cache, int64_t{2 * 2 * 64 * 16 * 2});
        options.dtype = DType::f32;
        QCOMPARE(estimate_memory(path("one"), options)->weights, 2 * whole->weights);
    }

    void the_longest_context_is_counted_right() {
        test::GgufWriter writer = test::tiny_gguf();
        writer.set("llama.context_length", test::gguf::u32(1 << 24));
        LoadOptions options;
        options.context = INT64_MAX;
        options.dtype = DType::f32;
        const auto file = write_gguf(writer);
        const auto needed = estimate_memory(file, options);
        QVERIFY(needed);
        QCOMPARE(needed->kv_cache, int64_t{2 * 2} * (1 << 24) * 16 * 4);
        SmallDevice small(1'000'000'000);
        options.device = &small;
        QVERIFY(!load_model(file, options));
        writer.set("llama.context_length", test::gguf::u32((1 << 24) + 1));
        QVERIFY2(words(load_model(write_gguf(writer), {})).contains("is outside 1 to 16777216"),
                 "a longer one is no context");
    }
    void a_tensor_is_named_before_memory_is_asked_for() {
        test::GgufWriter writer = test::tiny_gguf();
        writer.set("llama.feed_forward_length", test::gguf::u32(1 << 20));
        SmallDevice none(0);
        LoadOptions options;
        options.device = &none;
        const auto file = write_gguf(writer);
        for (const auto& message :
             {words(load_model(file, options)),
              QByteArray::fromStdString(estimate_memory(file, options).error().message)}) {
            QVERIFY2(message.contains("tensor blk.0.ffn_gate.weight: shape [48, 32]"), message);
        }
    }

    void progress_ends_where_it_should() {
        std::vector<LoadProgress> told;
        LoadOptions options;
        options.progress = [&](const LoadProgress& progress) {
            told.push_back(progress);
            return true;
        };
        const auto loaded = load_model(path("one"), options);
        QVERIFY2(loaded, words(loaded));
        QVERIFY(told.size() >= 2);
        QCOMPARE(told.back().done, told.back().total);
        int64_t parameters = 40 * 32 + 32;
        parameters += 2 * (2 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32);
        QCOMPARE(told.back().total, 2 * parameters);
        QVERIFY(std::is_sorted(told.begin(), told.end(),
                               [](const auto& a, const auto& b) { return a.done < b.done; }));
    }
    void false_cancels() {
        for (int calls_before = 0; calls_before < 2; ++calls_before) {
            int calls = 0;
            LoadOptions options;
            options.progress = [&](const LoadProgress&) { return calls++ < calls_before; };
            const auto loaded = load_model(path("one"), options);
            QVERIFY(!loaded);
            QCOMPARE(loaded.error().kind, ErrorKind::cancelled);
        }
    }

    void a_vocabulary_alone_is_enough() {
        LoadOptions options;
        options.vocabulary_only = true;
        test::GgufWriter writer = test::tiny_gguf();
        writer.tensors.clear();
        writer.set("general.architecture", test::gguf::string("phi3"));
        const auto gguf = load_model(write_gguf(writer), options);
        QVERIFY2(gguf, words(gguf));
        QCOMPARE((*gguf)->tokenizer->vocab_size(), 40);
        QCOMPARE((*gguf)->config.eos_token_ids, std::vector<int32_t>{2});
        QVERIFY((*gguf)->weights.layers.empty());

        test::write_tiny_folder(path("vocabulary"));
        std::filesystem::remove(path("vocabulary") / "config.json");
        std::filesystem::remove(path("vocabulary") / "model.safetensors");
        const auto folder = load_model(path("vocabulary"), options);
        QVERIFY2(folder, words(folder));
        QCOMPARE((*folder)->tokenizer->vocab_size(), 40);
    }

    void a_template_is_found_where_it_may_be_data() {
        QTest::addColumn<QByteArray>("config");
        QTest::addColumn<QByteArray>("file");
        QTest::addColumn<QByteArray>("rendered");
        const QByteArray loop = "{% for m in messages %}";
        QTest::newRow("as text") << QByteArray(R"({"chat_template": "1{{ messages[0].content }}"})")
                                 << QByteArray() << QByteArray("1hi");
        QTest::newRow("in a list")
            << QByteArray(R"({"chat_template": [{"name": "tool_use", "template": "x"},
                                     {"name": "default", "template": "2{{ messages[0].content }}"}]})")
            << QByteArray() << QByteArray("2hi");
        QTest::newRow("a file goes first")
            << QByteArray(R"({"chat_template": "1"})") << QByteArray("3{{ messages[0].content }}")
            << QByteArray("3hi");
    }
    void a_template_is_found_where_it_may_be() {
        QFETCH(QByteArray, config);
        QFETCH(QByteArray, file);
        QFETCH(QByteArray, rendered);
        test::write_tiny_folder(path("template"));
        std::filesystem::remove(path("template") / "chat_template.jinja");
        test::write_file(path("template") / "tokenizer_config.json", config.toStdString());
        if (!file.isEmpty())
            test::write_file(path("template") / "chat_template.jinja", file.toStdString());
        const auto loaded = load_model(path("template"), {});
        QVERIFY2(loaded, words(loaded));
        QCOMPARE((*loaded)->template_problem, std::string());
        TemplateInputs inputs;
        inputs.messages = {{"user", "hi"}};
        const auto prompt = (*loaded)->chat_template.render(inputs);
        QVERIFY2(prompt, prompt ? "" : prompt.error().message.c_str());
        QCOMPARE(prompt->text, rendered.toStdString());
    }
    void a_template_that_cannot_run_gives_chatml_and_says_why() {
        for (const char* source :
             {"", "{% for m in messages %}{{ m.content }}", "{{ messages | no_such_filter }}"}) {
            test::GgufWriter writer = test::tiny_gguf();
            writer.set("tokenizer.chat_template", test::gguf::string(source));
            const auto loaded = load_model(write_gguf(writer), {});
            QVERIFY2(loaded, words(loaded));
            QVERIFY(!(*loaded)->template_problem.empty());
            TemplateInputs inputs;
            inputs.messages = {{"user", "hi"}};
            const auto prompt = (*loaded)->chat_template.render(inputs);
            QVERIFY(prompt);
            QCOMPARE(prompt->text, ChatTemplate::chatml().render(inputs)->text);
        }
    }
};

QTEST_APPLESS_MAIN(TestModelLoader)
#include "tst_model_loader.moc"
