// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>

#include "kernels/gpu_info.h"

class TestGpuInfo : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void gpus_are_found_or_their_absence_is_explained() {
        const auto gpus = lockstep::find_gpus();
        if (!gpus) {
            QVERIFY2(gpus.error().message.size() > 10, gpus.error().message.c_str());
            QSKIP(gpus.error().message.c_str());
        }
        QVERIFY(!gpus->empty());
        for (const lockstep::GpuInfo& gpu : *gpus) {
            QVERIFY(!gpu.name.empty());
            QVERIFY(gpu.compute_capability >= 50);
            QVERIFY(gpu.memory > 0);
        }
    }
};

QTEST_APPLESS_MAIN(TestGpuInfo)
#include "tst_gpu_info.moc"
