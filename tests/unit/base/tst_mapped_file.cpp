// SPDX-License-Identifier: GPL-3.0-or-later
#include <sys/stat.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "core/base/mapped_file.h"

using namespace lockstep;

class TestMappedFile : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;
    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }
    static QByteArray error_of(const std::filesystem::path& path) {
        const auto file = MappedFile::open(path);
        return file ? QByteArray("(opened)") : QByteArray::fromStdString(file.error().message);
    }

  private Q_SLOTS:
    void a_file_is_read_whole() {
        std::ofstream(path("a")) << "hello";
        const auto file = MappedFile::open(path("a"));
        QVERIFY(file);
        QCOMPARE(std::string(file->text()), std::string("hello"));
        QCOMPARE(file->path(), path("a"));
        file->will_need(0, 5);
        file->will_need(3, SIZE_MAX);
        QCOMPARE(*read_text_file(path("a"), 5), std::string("hello"));
    }
    void an_empty_file_is_empty() {
        std::ofstream(path("empty")).flush();
        const auto file = MappedFile::open(path("empty"));
        QVERIFY(file);
        QVERIFY(file->bytes().empty());
    }
    void moving_leaves_the_bytes_where_they_are() {
        std::ofstream(path("b")) << "bytes";
        MappedFile first = *MappedFile::open(path("b"));
        const auto* data = first.bytes().data();
        MappedFile second = std::move(first);
        QCOMPARE(second.bytes().data(), data);
        QCOMPARE(std::string(second.text()), std::string("bytes"));
    }
    void what_is_not_a_readable_file_is_an_error() {
        QVERIFY(
            error_of(path("none")).endsWith("/none: cannot be opened: No such file or directory"));
        std::filesystem::create_directory(path("folder"));
        QVERIFY(
            error_of(path("folder")).endsWith("/folder: is a directory, a file is needed here"));
        QVERIFY(mkfifo(path("pipe").c_str(), 0600) == 0);
        QVERIFY(
            error_of(path("pipe")).endsWith("/pipe: is not a regular file"));  // and does not wait
        QVERIFY(!read_text_file(path("a"), 4));
        QVERIFY(!file_exists(path("folder")) && folder_exists(path("folder")));
    }
    void a_file_without_permission_is_an_error() {
        if (geteuid() == 0) QSKIP("root may read everything");
        std::ofstream(path("secret")) << "x";
        chmod(path("secret").c_str(), 0);
        QVERIFY(error_of(path("secret")).endsWith("/secret: cannot be opened: Permission denied"));
    }
};

QTEST_APPLESS_MAIN(TestMappedFile)
#include "tst_mapped_file.moc"
