// SPDX-License-Identifier: GPL-3.0-or-later
// What is written is what the format asks for, and it is there whole or not at all.
#include <QTest>
#include <cstring>

#include "core/base/output_file.h"
#include "core/model/safetensors.h"
#include "core/model/safetensors_writer.h"

using namespace lockstep;

namespace {

TensorToWrite filled(const char* name, DType dtype, std::vector<int64_t> shape, char byte) {
    return {name, dtype, std::move(shape), [byte](std::span<std::byte> bytes) -> Status {
                std::memset(bytes.data(), byte, bytes.size());
                return {};
            }};
}

}  // namespace

class TestSafetensorsWriter : public QObject {
    Q_OBJECT
    QTemporaryDir folder_;
    std::filesystem::path path(const char* name) const {
        return folder_.filePath(name).toStdString();
    }
    QStringList files() const {
        return QDir(folder_.path()).entryList(QDir::Files | QDir::Hidden | QDir::System);
    }

  private Q_SLOTS:
    void cleanup() {
        for (const QString& name : files()) QFile::remove(folder_.filePath(name));
    }

    void it_is_read_back_as_it_was_written() {
        const auto file = path("a.safetensors");
        const Status written = write_safetensors(
            file,
            {filled("z", DType::bf16, {3}, 1), filled("b", DType::f32, {2, 2}, 2),
             filled("a", DType::bf16, {1, 2, 3}, 3), filled("none", DType::f16, {0, 4}, 4)},
            {{"prompt_ids", "[1,2]"}, {"model", "a \"b\" \xff"}});
        QVERIFY2(written.has_value(), written ? "" : written.error().message.c_str());
        const auto mapped = MappedFile::open(file);
        const auto tensors = read_safetensors(*mapped);
        QVERIFY2(tensors.has_value(), tensors ? "" : tensors.error().message.c_str());
        std::map<std::string, StoredTensor> found;
        for (const StoredTensor& tensor : *tensors) {
            found[tensor.name] = tensor;
            const auto offset = tensor.data.data() - mapped->bytes().data();
            QCOMPARE(offset % (tensor.type == "F32" ? 4 : 2), 0);
        }
        QCOMPARE(found.size(), size_t{4});
        QCOMPARE(found["a"].shape, (std::vector<int64_t>{1, 2, 3}));
        QCOMPARE(found["b"].type, std::string("F32"));
        QCOMPARE(static_cast<int>(found["a"].data[11]), 3);
        QCOMPARE(static_cast<int>(found["z"].data[0]), 1);
        const auto metadata = read_safetensors_metadata(*mapped);
        QCOMPARE(metadata->at("prompt_ids"), std::string("[1,2]"));
        QCOMPARE(metadata->at("model"), std::string("a \"b\" \xef\xbf\xbd"));
        // The header is padded, so that the data is aligned in the mapped file.
        uint64_t header = 0;
        std::memcpy(&header, mapped->bytes().data(), sizeof header);
        QCOMPARE(header % 8, uint64_t{0});
    }

    void a_tensor_that_can_not_be_read_leaves_what_was_there() {
        const auto file = path("b.safetensors");
        QVERIFY(write_whole_file(file, "before").has_value());
        TensorToWrite broken = filled("b", DType::f32, {2}, 0);
        broken.read = [](std::span<std::byte>) -> Status {
            return fail(ErrorKind::io, "the device is gone");
        };
        const Status written =
            write_safetensors(file, {filled("a", DType::f32, {2}, 0), broken}, {});
        QCOMPARE(written.error().message, std::string("the device is gone"));
        QCOMPARE(files(), QStringList{"b.safetensors"});
        QCOMPARE(*read_text_file(file, 100), std::string("before"));
    }

    void what_can_not_be_written_says_so_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("complaint");
        QTest::newRow("a folder") << "."
                                  << "is a folder";
        QTest::newRow("no such folder") << "none/a.safetensors"
                                        << "No such file";
        QTest::newRow("below a file") << "plain/a.safetensors"
                                      << "Not a directory";
        QTest::newRow("a full device") << "/dev/full"
                                       << "No space left";
    }
    void what_can_not_be_written_says_so() {
        QFETCH(QString, file);
        QFETCH(QString, complaint);
        QVERIFY(write_whole_file(path("plain"), "x").has_value());
        const auto target =
            std::filesystem::path(folder_.path().toStdString()) / file.toStdString();
        const Status written = write_safetensors(target, {filled("a", DType::f32, {2}, 0)}, {});
        QVERIFY(!written.has_value());
        QVERIFY2(written.error().message.find(complaint.toStdString()) != std::string::npos,
                 written.error().message.c_str());
        QVERIFY(written.error().message.find("could not be written") != std::string::npos);
        QCOMPARE(files(), QStringList{"plain"});
    }

    void what_is_not_committed_is_not_there() {
        {
            auto file = OutputFile::create(path("c"));
            QVERIFY(file->write("half").has_value());
        }
        QCOMPARE(files(), QStringList{});
    }

    void a_link_stays_and_its_file_is_replaced() {
        QVERIFY(write_whole_file(path("real"), "old").has_value());
        QVERIFY(QFile::link("real", folder_.filePath("link")));
        QVERIFY(write_whole_file(path("link"), "new").has_value());
        QVERIFY(QFileInfo(folder_.filePath("link")).isSymLink());
        QCOMPARE(*read_text_file(path("real"), 100), std::string("new"));
    }
};

QTEST_APPLESS_MAIN(TestSafetensorsWriter)
#include "tst_safetensors_writer.moc"
