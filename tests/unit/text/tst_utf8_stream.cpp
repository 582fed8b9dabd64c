// SPDX-License-Identifier: GPL-3.0-or-later
// Streaming never shows half a character, and shows what Python shows of damaged text.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QTest>

#include "core/text/utf8_stream.h"

using lockstep::Utf8Stream;

namespace {

// The text in pieces of `size` bytes, each piece's output valid on its own.
std::string streamed(const std::string& bytes, size_t size) {
    Utf8Stream stream;
    std::string text;
    for (size_t at = 0; at < bytes.size(); at += size)
        text += stream.push(std::string_view(bytes).substr(at, size));
    return text + stream.finish();
}

}  // namespace

class TestUtf8Stream : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void holds_back_only_what_is_incomplete() {
        Utf8Stream stream;
        QCOMPARE(stream.push("a\xE2"), "a");
        QCOMPARE(stream.push("\x82"), "");
        QCOMPARE(stream.push("\xAC!"), "\xE2\x82\xAC!");
        QCOMPARE(stream.finish(), "");
    }
    void replaces_what_stays_incomplete_at_the_end() {
        Utf8Stream stream;
        QCOMPARE(stream.push("ok\xF0\x9F\x98"), "ok");
        QCOMPARE(stream.finish(), "\xEF\xBF\xBD");
        QCOMPARE(stream.finish(), "");
        QCOMPARE(stream.push("again"), "again");
    }
    void gives_an_invalid_byte_at_once() {
        Utf8Stream stream;
        QCOMPARE(stream.push("\xE2\x41"), "\xEF\xBF\xBD\x41");  // 41 cannot follow E2
        QCOMPARE(stream.push("\xFF"), "\xEF\xBF\xBD");
    }
    void equals_python() {
        QFile file("golden/utf8/replaced.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonArray rows = QJsonDocument::fromJson(file.readAll()).array();
        QVERIFY(rows.size() > 500);
        for (const QJsonValue& row : rows) {
            const QByteArray hex = row[0].toString().toLatin1();
            const std::string bytes = QByteArray::fromHex(hex).toStdString();
            const std::string expected = row[1].toString().toStdString();
            for (const size_t size : {1, 2, 3, 100})
                QVERIFY2(streamed(bytes, size) == expected,
                         hex + " in pieces of " + QByteArray::number(int(size)));
        }
    }
    void every_piece_is_whole() {
        const std::string text = "x\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x95\x9C";
        Utf8Stream stream;
        for (const char byte : text) {
            const std::string piece = stream.push(std::string_view(&byte, 1));
            const QString shown = QString::fromUtf8(piece.data(), int(piece.size()));
            QVERIFY(!shown.contains(QChar::ReplacementCharacter));
            QCOMPARE(shown.toStdString(), piece);
        }
    }
};

QTEST_APPLESS_MAIN(TestUtf8Stream)
#include "tst_utf8_stream.moc"
