// SPDX-License-Identifier: GPL-3.0-or-later
// UTF-8 is judged as Unicode 15, table 3-7, defines it.
#include <QTest>
#include <string>

#include "core/base/utf8.h"

using namespace lockstep;

class TestUtf8 : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void judged_as_unicode_defines_it_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("first_invalid");
        QTest::newRow("empty") << QByteArray() << -1;
        QTest::newRow("ascii with NUL") << QByteArray("a\0b", 3) << -1;
        QTest::newRow("two, three, four bytes") << QByteArray("é€😀") << -1;
        QTest::newRow("last code point") << QByteArray("\xf4\x8f\xbf\xbf") << -1;
        QTest::newRow("past the last") << QByteArray("a\xf4\x90\x80\x80") << 1;
        QTest::newRow("surrogate") << QByteArray("ab\xed\xa0\x80") << 2;
        QTest::newRow("overlong slash") << QByteArray("\xc0\xaf") << 0;
        QTest::newRow("overlong three") << QByteArray("\xe0\x9f\xbf") << 0;
        QTest::newRow("overlong four") << QByteArray("\xf0\x8f\xbf\xbf") << 0;
        QTest::newRow("cut short") << QByteArray("a\xe2\x82") << 1;
        QTest::newRow("lone continuation") << QByteArray("\x80") << 0;
        QTest::newRow("0xff") << QByteArray("xyz\xff") << 3;
    }
    void judged_as_unicode_defines_it() {
        QFETCH(QByteArray, text);
        QFETCH(int, first_invalid);
        const std::string bytes = text.toStdString();
        QCOMPARE(is_valid_utf8(bytes), first_invalid < 0);
        size_t at = 0;
        while (at < bytes.size() && code_point_at(bytes, at).valid) {
            at += code_point_at(bytes, at).length;
        }
        QCOMPARE(at == bytes.size() ? -1 : static_cast<int>(at), first_invalid);
    }
};

QTEST_APPLESS_MAIN(TestUtf8)
#include "tst_utf8.moc"
