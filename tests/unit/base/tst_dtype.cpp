// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <cmath>

#include "kernels/dtype.h"

using namespace lockstep;

class TestDType : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void every_f16_survives_the_round_trip() {
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            const auto half = static_cast<uint16_t>(bits);
            const float value = float_from_f16(half);
            if (std::isnan(value)) {
                QVERIFY(std::isnan(float_from_f16(f16_from_float(value))));
            } else {
                QCOMPARE(f16_from_float(value), half);
            }
        }
    }
    void every_bf16_survives_the_round_trip() {
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            const auto half = static_cast<uint16_t>(bits);
            const float value = float_from_bf16(half);
            if (std::isnan(value)) {
                QVERIFY(std::isnan(float_from_bf16(bf16_from_float(value))));
            } else {
                QCOMPARE(bf16_from_float(value), half);
            }
        }
    }
    // The compiler's own _Float16 rounds as IEEE 754 says; ours must agree, ties included.
    void f16_rounds_as_ieee() {
        uint32_t bits = 1;
        for (int i = 0; i < 2'000'000; ++i) {
            bits = bits * 1664525u + 1013904223u;
            const float value = std::bit_cast<float>(bits);
            if (std::isnan(value)) continue;
            QCOMPARE(f16_from_float(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value)));
        }
    }
    void bf16_ties_go_to_even() {
        QCOMPARE(bf16_from_float(std::bit_cast<float>(0x3f808000u)), uint16_t{0x3f80});
        QCOMPARE(bf16_from_float(std::bit_cast<float>(0x3f818000u)), uint16_t{0x3f82});
        QCOMPARE(bf16_from_float(std::bit_cast<float>(0x3f808001u)), uint16_t{0x3f81});
    }
};

QTEST_APPLESS_MAIN(TestDType)
#include "tst_dtype.moc"
