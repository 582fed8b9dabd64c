// SPDX-License-Identifier: GPL-3.0-or-later
// Random damage to valid files, from a fixed seed, for a few seconds: whatever comes of it, loading
// returns, and the sanitizers that this program is built with have nothing to say.
#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>
#include <random>

#include "core/model/model_loader.h"
#include "tests/fuzz/allocation_watch.h"
#include "tests/support/model_files.h"

using namespace lockstep;

namespace {

using Random = std::mt19937_64;

size_t below(Random& random, size_t end) {
    return static_cast<size_t>(random() % end);
}

// One to four changes: a bit, a byte, a number of eight bytes, a cut, a piece doubled or removed.
// Most fall into the first `header` bytes, where the structure is.
std::string damaged(std::string bytes, size_t header, Random& random) {
    static constexpr uint64_t numbers[] = {
        0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, uint64_t{1} << 60, INT64_MAX, UINT64_MAX};
    for (size_t changes = 1 + below(random, 4); changes > 0 && bytes.size() > 16; --changes) {
        const size_t size = below(random, 8) == 0 ? bytes.size() : std::min(header, bytes.size());
        const size_t at = below(random, size - 8);
        switch (below(random, 7)) {
            case 0:
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8)));
                break;
            case 1:
                bytes[at] = static_cast<char>(random());
                break;
            case 2:
                bytes.replace(at, 8, test::raw(numbers[below(random, std::size(numbers))]));
                break;
            case 3:
                bytes.replace(at, 4, test::raw(static_cast<uint32_t>(below(random, 40))));
                break;
            case 4:
                bytes.resize(at);
                break;
            case 5:
                bytes.erase(at, 1 + below(random, 16));
                break;
            default:
                bytes.insert(at, bytes.substr(below(random, size), 1 + below(random, 64)));
                break;
        }
    }
    return bytes;
}

}  // namespace

class TestMutatedFiles : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;

    // Damages one file of what loads, again and again, for two seconds.
    void damage_for_a_while(const std::filesystem::path& model, const std::filesystem::path& file,
                            size_t header) {
        std::ifstream in(file, std::ios::binary);
        const std::string good(std::istreambuf_iterator<char>(in), {});
        QVERIFY(load_model(model, {}));
        Random random(20260801);
        QElapsedTimer clock;
        clock.start();
        int tries = 0, refused = 0;
        for (; clock.elapsed() < 2000; ++tries) {
            const std::string bytes = damaged(good, header, random);
            test::write_file(file, bytes);
            test::take_peak_allocation();
            const auto loaded = load_model(model, {});
            const size_t peak = test::take_peak_allocation();
            QVERIFY2(peak < 4'000'000 + 40 * bytes.size(),
                     QByteArray::number(static_cast<qulonglong>(peak)));
            if (loaded) continue;
            ++refused;
            QVERIFY(!loaded.error().message.empty());
        }
        qInfo("%d files, %d refused", tries, refused);
        QVERIFY(refused > 20);
        test::write_file(file, good);
    }
    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }

  private Q_SLOTS:
    void gguf() {
        test::write_file(path("m.gguf"), test::tiny_gguf().bytes());
        damage_for_a_while(path("m.gguf"), path("m.gguf"), 3000);
    }
    void safetensors() {
        test::write_tiny_folder(path("one"));
        damage_for_a_while(path("one"), path("one") / "model.safetensors", 2500);
    }
    void config_json() {
        test::write_tiny_folder(path("config"));
        damage_for_a_while(path("config"), path("config") / "config.json", 1000);
    }
    void index_json() {
        test::write_tiny_shards(path("sharded"));
        damage_for_a_while(path("sharded"), path("sharded") / "model.safetensors.index.json", 3000);
    }
    void tokenizer_json() {
        test::write_tiny_folder(path("tokenizer"));
        damage_for_a_while(path("tokenizer"), path("tokenizer") / "tokenizer.json", 3000);
    }
};

QTEST_GUILESS_MAIN(TestMutatedFiles)
#include "tst_mutated_files.moc"
