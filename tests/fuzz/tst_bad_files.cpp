// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are wrong, by hand: each is refused with words that name file and field, tensor or
// rule, in no time, with no more memory than its size justifies, and without a complaint from
// AddressSanitizer or UBSan, with which this program is built whatever the preset.
#include <unistd.h>

#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>

#include "core/model/model_loader.h"
#include "tests/fuzz/allocation_watch.h"
#include "tests/fuzz/bad_case.h"
#include "tests/support/model_files.h"

using namespace lockstep;

namespace {

std::vector<test::BadCase> all_cases() {
    std::vector<test::BadCase> all;
    for (auto* list :
         {test::bad_gguf_headers, test::bad_gguf_metadata, test::bad_gguf_tensors,
          test::bad_safetensors, test::bad_indexes, test::bad_configs, test::bad_folders}) {
        for (test::BadCase& bad : list()) all.push_back(std::move(bad));
    }
    return all;
}

size_t bytes_in(const std::filesystem::path& folder) {
    size_t total = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        std::error_code ignored;
        const auto size = std::filesystem::file_size(entry, ignored);
        if (!ignored) total += size;
    }
    return total;
}

QByteArray words(const tl::expected<std::shared_ptr<const Model>, Error>& result) {
    return result ? QByteArray("(loaded)") : QByteArray::fromStdString(result.error().message);
}

}  // namespace

class TestBadFiles : public QObject {
    Q_OBJECT

    const std::vector<test::BadCase> cases_ = all_cases();
    QTemporaryDir folder_;
    std::filesystem::path fresh_folder(int index) const {
        const auto folder =
            std::filesystem::path(folder_.path().toStdString()) / std::to_string(index);
        std::filesystem::create_directories(folder);
        return folder;
    }

  private Q_SLOTS:
    void each_is_refused_with_a_reason_data() {
        QTest::addColumn<int>("index");
        QVERIFY(cases_.size() >= 200);
        for (size_t i = 0; i < cases_.size(); ++i) {
            QTest::newRow(cases_[i].name.c_str()) << static_cast<int>(i);
        }
    }
    void each_is_refused_with_a_reason() {
        QFETCH(int, index);
        const test::BadCase& bad = cases_[static_cast<size_t>(index)];
        const auto folder = fresh_folder(index);
        const auto path = bad.make(folder);
        QElapsedTimer clock;
        clock.start();
        test::take_peak_allocation();
        const auto loaded = load_model(path, {});
        const size_t peak = test::take_peak_allocation();
        const QByteArray message = words(loaded);
        QVERIFY2(!loaded, message);
        QVERIFY2(message.contains(folder.c_str()), message);
        for (const std::string& part : bad.message)
            QVERIFY2(message.contains(part.c_str()), message);
        QVERIFY2(!message.contains('\n') && message.size() < 1000, message);
        // What the program itself needs, and what a parsed file takes.
        const size_t justified = 2'000'000 + 40 * bytes_in(folder);
        QVERIFY2(peak < justified, qPrintable(QString("%1 of %2 bytes").arg(peak).arg(justified)));
        QVERIFY2(clock.elapsed() < 3000, qPrintable(QString("%1 ms").arg(clock.elapsed())));
        // The other ways in must survive it too.
        (void)estimate_memory(path, {});
        LoadOptions vocabulary;
        vocabulary.vocabulary_only = true;
        (void)load_model(path, vocabulary);
        std::filesystem::remove_all(folder);
    }

    // The cases above are changes of these: unchanged, they load.
    void what_they_were_made_from_loads() {
        const auto folder = fresh_folder(-1);
        test::write_file(folder / "m.gguf", test::tiny_gguf().bytes());
        test::write_tiny_folder(folder / "one");
        test::write_tiny_shards(folder / "sharded");
        for (const char* name : {"m.gguf", "one", "sharded"}) {
            const auto loaded = load_model(folder / name, {});
            QVERIFY2(loaded, words(loaded));
        }
    }
    void an_unreadable_file_is_refused() {
        const auto path = fresh_folder(-2) / "m.gguf";
        test::write_file(path, test::tiny_gguf().bytes());
        std::filesystem::permissions(path, std::filesystem::perms::none);
        if (std::ifstream(path)) QSKIP("this user may read everything");
        QVERIFY(
            words(load_model(path, {})).contains("m.gguf: cannot be opened: Permission denied"));
    }
    void the_watch_sees_allocations() {
        test::take_peak_allocation();
        { const std::vector<char> big(10'000'000); }
        QVERIFY(test::take_peak_allocation() >= 10'000'000);
        QVERIFY(test::take_peak_allocation() < 1'000'000);
    }
};

QTEST_GUILESS_MAIN(TestBadFiles)
#include "tst_bad_files.moc"
