// SPDX-License-Identifier: GPL-3.0-or-later
// Reads every include and fails on an arrow that the house forbids:
//   app -> ui -> core -> kernels; Qt only in app, ui and tests; CUDA only in kernels;
//   nobody looks at tests.
#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>
#include <QTest>

namespace {

struct Source {
    QString path;  // from the root: "core/run/engine.h"
    QString text;
};

// Higher looks at lower.
int storey(const QString& folder) {
    static const QStringList order{"kernels", "core", "ui", "app", "tests"};
    return static_cast<int>(order.indexOf(folder));
}

bool isQt(const QString& include) {
    static const QRegularExpression qt(
        "^(Q[A-Z]\\w*|Qt\\w*|Qt\\w+/\\w+|q[a-z]+\\.h|qcustomplot\\.h)$");
    return qt.match(include).hasMatch();
}

bool isCuda(const QString& include) {
    static const QRegularExpression cuda(
        "^(cuda|cublas|nvrtc|nvml|cutlass/|cute/|cub/|cooperative_groups)");
    return cuda.match(include).hasMatch();
}

QString complaint(const QString& path, const QString& include) {
    const QString folder = path.section('/', 0, 0);
    const QString target = include.section('/', 0, 0);
    if (isQt(include) && storey(folder) < storey("ui")) return path + " uses Qt: " + include;
    if (isCuda(include) && folder != "kernels" && folder != "tests")
        return path + " uses CUDA: " + include;
    if (isCuda(include) && folder == "kernels" && !path.startsWith("kernels/cuda/") &&
        !path.startsWith("kernels/user/"))
        return path + " uses CUDA outside kernels/cuda: " + include;
    if (!include.contains('/') || storey(target) < 0) return {};
    if (storey(target) > storey(folder)) return path + " looks up at " + include;
    return {};
}

QStringList violations(const QList<Source>& sources) {
    static const QRegularExpression line("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]",
                                         QRegularExpression::MultilineOption);
    QStringList found;
    for (const Source& source : sources) {
        for (auto match = line.globalMatch(source.text); match.hasNext();) {
            const QString text = complaint(source.path, match.next().captured(1));
            if (!text.isEmpty()) found << text;
        }
    }
    return found;
}

QList<Source> readTree() {
    const QDir root(LOCKSTEP_SOURCE_DIR);
    QList<Source> sources;
    for (const QString folder : {"kernels", "core", "ui", "app"}) {
        QDirIterator files(root.filePath(folder), {"*.h", "*.cpp", "*.cu", "*.cuh", "*.c", "*.hpp"},
                           QDir::Files, QDirIterator::Subdirectories);
        while (files.hasNext()) {
            QFile file(files.next());
            if (!file.open(QIODevice::ReadOnly)) continue;
            sources << Source{root.relativeFilePath(file.fileName()),
                              QString::fromUtf8(file.readAll())};
        }
    }
    return sources;
}

}  // namespace

class TestHouse : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void the_arrows_of_the_code_only_point_down() {
        const QList<Source> sources = readTree();
        QVERIFY2(sources.size() > 20, "the sources were not found");
        QCOMPARE(violations(sources), QStringList{});
    }

    void a_wrong_arrow_is_named_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("include");
        QTest::addColumn<bool>("allowed");
        QTest::newRow("core uses kernels") << "core/run/x.cpp"
                                           << "\"kernels/steps.h\"" << true;
        QTest::newRow("ui uses core") << "ui/x.h"
                                      << "\"core/run/engine.h\"" << true;
        QTest::newRow("app uses Qt") << "app/main.cpp"
                                     << "<QApplication>" << true;
        QTest::newRow("cuda in its folder") << "kernels/cuda/x.cu"
                                            << "<cuda_runtime.h>" << true;
        QTest::newRow("kernels use core") << "kernels/cpu/x.cpp"
                                          << "\"core/run/engine.h\"" << false;
        QTest::newRow("core uses ui") << "core/run/x.cpp"
                                      << "\"ui/main_window.h\"" << false;
        QTest::newRow("core uses Qt") << "core/run/x.cpp"
                                      << "<QString>" << false;
        QTest::newRow("core uses a Qt module") << "core/run/x.cpp"
                                               << "<QtCore/QString>" << false;
        QTest::newRow("kernels use Qt") << "kernels/x.h"
                                        << "<QObject>" << false;
        QTest::newRow("core uses CUDA") << "core/x.cpp"
                                        << "<cuda_runtime_api.h>" << false;
        QTest::newRow("cpu kernels use CUDA") << "kernels/cpu/x.cpp"
                                              << "<cublas_v2.h>" << false;
        QTest::newRow("ui uses a test") << "ui/x.cpp"
                                        << "\"tests/support/models.h\"" << false;
        QTest::newRow("ui uses app") << "ui/x.cpp"
                                     << "\"app/window.h\"" << false;
    }
    void a_wrong_arrow_is_named() {
        QFETCH(QString, path);
        QFETCH(QString, include);
        QFETCH(bool, allowed);
        const QStringList found = violations({{path, "// why\n#include " + include + "\n"}});
        QCOMPARE(found.isEmpty(), allowed);
    }
};

QTEST_APPLESS_MAIN(TestHouse)
#include "tst_house.moc"
