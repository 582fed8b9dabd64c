// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>

#include "kernels/gpu_problem.h"

using lockstep::DriverState;

class TestGpuProblem : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void the_reason_is_in_words_data() {
        QTest::addColumn<bool>("library");
        QTest::addColumn<int>("driver");
        QTest::addColumn<int>("runtime");
        QTest::addColumn<QString>("error");
        QTest::addColumn<QString>("said");
        // What CUDA says of the first three alike.
        const QString insufficient = "CUDA driver version is insufficient for CUDA runtime version";
        QTest::newRow("no driver")
            << false << 0 << 13000 << insufficient
            << "no NVIDIA driver is installed (there is no libcuda.so.1 on this machine)";
        QTest::newRow("a driver that is too old")
            << true << 12040 << 13000 << insufficient
            << "the NVIDIA driver is too old: it runs CUDA 12.4, this program needs CUDA 13.0";
        QTest::newRow("a driver that does not run")
            << true << 0 << 13000 << insufficient
            << "the NVIDIA driver is installed but does not run (CUDA driver version is "
               "insufficient for CUDA runtime version): nvidia-smi may say why";
        QTest::newRow("a driver that is new enough, and no GPU")
            << true << 13000 << 13000 << "no CUDA-capable device is detected"
            << "no CUDA-capable device is detected";
        QTest::newRow("a later driver, and another problem")
            << true << 13010 << 13000 << "system not yet initialized"
            << "system not yet initialized";
    }
    void the_reason_is_in_words() {
        QFETCH(bool, library);
        QFETCH(int, driver);
        QFETCH(int, runtime);
        QFETCH(QString, error);
        QFETCH(QString, said);
        const DriverState state{library, driver, runtime, error.toStdString()};
        QCOMPARE(QString::fromStdString(lockstep::gpu_problem(state)),
                 "no usable NVIDIA GPU: " + said);
    }
};

QTEST_APPLESS_MAIN(TestGpuProblem)
#include "tst_gpu_problem.moc"
