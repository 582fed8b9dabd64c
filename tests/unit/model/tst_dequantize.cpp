// SPDX-License-Identifier: GPL-3.0-or-later
// The expected values are those of the gguf Python package (tests/golden/dequant/make.py).
#include <QFile>
#include <QTest>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/model/dequantize.h"

using namespace lockstep;

namespace {

struct Golden {
    QByteArray stored;
    std::vector<float> values;
};

Golden read_golden(DType dtype) {
    const std::string_view name = dtype_info(dtype).name;
    QFile file(LOCKSTEP_SOURCE_DIR "/tests/golden/dequant/" +
               QString::fromUtf8(name.data(), static_cast<qsizetype>(name.size())) + ".bin");
    if (!file.open(QIODevice::ReadOnly)) return {};
    const QByteArray all = file.readAll();
    const DTypeInfo& info = dtype_info(dtype);
    const qsizetype blocks = all.size() / (info.block_bytes + 4 * info.block_elements);
    Golden golden;
    golden.stored = all.left(blocks * info.block_bytes);
    golden.values.resize(static_cast<size_t>(blocks * info.block_elements));
    std::memcpy(golden.values.data(), all.constData() + golden.stored.size(),
                golden.values.size() * 4);
    return golden;
}

const std::byte* bytes(const QByteArray& array) {
    return reinterpret_cast<const std::byte*>(array.constData());
}

}  // namespace

class TestDequantize : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void every_type_is_expanded_bit_for_bit_data() {
        QTest::addColumn<int>("dtype");
        for (DType dtype :
             {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0,
              DType::q5_1, DType::q8_0, DType::q4_k, DType::q5_k, DType::q6_k}) {
            QTest::newRow(dtype_info(dtype).name.data()) << static_cast<int>(dtype);
        }
    }
    void every_type_is_expanded_bit_for_bit() {
        QFETCH(int, dtype);
        const auto from = static_cast<DType>(dtype);
        const Golden golden = read_golden(from);
        QVERIFY(golden.values.size() >= 2048);
        const auto count = static_cast<int64_t>(golden.values.size());
        std::vector<float> values(golden.values.size());
        expand_to_f32(from, bytes(golden.stored), values.data(), count);
        for (size_t i = 0; i < values.size(); ++i) {
            QVERIFY2(
                std::bit_cast<uint32_t>(values[i]) == std::bit_cast<uint32_t>(golden.values[i]),
                qPrintable(
                    QString("element %1: %2, not %3").arg(i).arg(values[i]).arg(golden.values[i])));
        }
        std::vector<uint16_t> bf16(values.size()), f16(values.size());
        expand(from, bytes(golden.stored), DType::bf16, bf16.data(), count);
        expand(from, bytes(golden.stored), DType::f16, f16.data(), count);
        for (size_t i = 0; i < values.size(); ++i) {
            QCOMPARE(bf16[i], bf16_from_float(golden.values[i]));
            QCOMPARE(f16[i], f16_from_float(golden.values[i]));
        }
    }

    // The vectorised conversions against kernels/dtype's: every exponent, ties, both sides of them.
    void rounding_is_that_of_dtype() {
        std::vector<float> values;
        for (uint32_t high = 0; high < 0x10000; ++high) {
            for (uint32_t low :
                 {0u, 1u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
                values.push_back(std::bit_cast<float>(high << 16 | low));
            }
        }
        const auto count = static_cast<int64_t>(values.size());
        const auto* stored = reinterpret_cast<const std::byte*>(values.data());
        std::vector<uint16_t> bf16(values.size()), f16(values.size());
        expand(DType::f32, stored, DType::bf16, bf16.data(), count);
        expand(DType::f32, stored, DType::f16, f16.data(), count);
        for (size_t i = 0; i < values.size(); ++i) {
            if (bf16[i] != bf16_from_float(values[i]) || f16[i] != f16_from_float(values[i])) {
                QFAIL(
                    qPrintable(QString("bits %1").arg(std::bit_cast<uint32_t>(values[i]), 8, 16)));
            }
        }
    }

    // One pattern for every half-precision number, NaN and infinities included.
    void every_f16_widens_as_dtype_has_it() {
        std::vector<uint16_t> halves(0x10000);
        for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
        std::vector<float> values(halves.size());
        expand_to_f32(DType::f16, reinterpret_cast<const std::byte*>(halves.data()), values.data(),
                      0x10000);
        for (size_t i = 0; i < halves.size(); ++i) {
            QCOMPARE(std::bit_cast<uint32_t>(values[i]),
                     std::bit_cast<uint32_t>(float_from_f16(halves[i])));
        }
    }
};

QTEST_APPLESS_MAIN(TestDequantize)
#include "tst_dequantize.moc"
