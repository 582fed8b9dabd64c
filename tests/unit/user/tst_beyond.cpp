// SPDX-License-Identifier: GPL-3.0-or-later
// Faults that nobody has listed, in kernels of a user's: found in their step, and never given a
// name with confidence that is not theirs.
#include <QTest>

#include "core/inspect/inspection.h"
#include "core/inspect/self_test.h"
#include "kernels/user/user_kernel.h"

using namespace lockstep;

namespace {

CompareRequest request_of(const SelfTestSubject& subject, KernelPath candidate) {
    CompareRequest request;
    auto model = subject.load(DType::bf16, 3);
    if (model) request.model = *model;
    request.threads = 1;
    for (const size_t length : {size_t{13}}) {
        std::vector<int32_t>& ids = request.prompts.emplace_back(length);
        for (size_t i = 0; i < length; ++i) ids[i] = static_cast<int32_t>((i * 37 + 11) % 200);
    }
    request.decode_steps = 1;
    request.candidate = std::move(candidate);
    request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    return request;
}

std::string described(const Inspection& inspection) {
    const Comparison& comparison = inspection.comparison;
    if (!comparison.first) return "match";
    std::string text = "layer " + std::to_string(comparison.first->layer) + " " +
                       std::string(step_name(comparison.first->step));
    if (!inspection.diagnosis) return text;
    for (const Cause& cause : inspection.diagnosis->causes) {
        text += ", " + cause.cause + " (" + cause.confidence + ", " +
                std::to_string(cause.explained) + ")";
    }
    return text;
}

}  // namespace

class TestBeyond : public QObject {
    Q_OBJECT

    static Result<UserKernel> kernel(const QString& step, const QString& fault) {
        const std::string name = "beyond-" + step.toStdString() + "-" + fault.toStdString();
        return open_user_kernel_in_process(std::filesystem::path(LOCKSTEP_KERNELS_FOLDER) /
                                           (name + ".so"));
    }

  private Q_SLOTS:
    void a_fault_that_nobody_listed_is_found_and_not_misnamed_data() {
        QTest::addColumn<QString>("step");
        QTest::addColumn<QString>("fault");
        for (const QString& each : QStringLiteral(LOCKSTEP_BEYOND).split(',')) {
            const QStringList parts = each.split('/');
            QTest::newRow(qPrintable(each)) << parts[0] << parts[1];
        }
    }
    void a_fault_that_nobody_listed_is_found_and_not_misnamed() {
        QFETCH(QString, step);
        QFETCH(QString, fault);
        const auto opened = kernel(step, fault);
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
        for (const SelfTestSubject& subject : tiny_subjects()) {
            const auto result = inspect(request_of(subject, opened->path));
            QVERIFY2(result.has_value(), result ? "" : result.error().message.c_str());
            const std::string said = described(*result);
            qInfo("%s: %s", subject.name.c_str(), said.c_str());
            if (fault == QStringLiteral("none")) {
                QCOMPARE(said, std::string("match"));
                continue;
            }
            QVERIFY2(result->comparison.first, "it was called a match");
            QCOMPARE(QString::fromStdString(std::string(step_name(result->comparison.first->step))),
                     step);
            QCOMPARE(result->comparison.first->layer,
                     step == "embed" ? -1
                     : step == "logits"
                         ? static_cast<int>(result->comparison.passes[0].layers.size()) - 2
                         : 0);
            QVERIFY(result->diagnosis);
            for (const Cause& cause : result->diagnosis->causes)
                QVERIFY2(cause.cause == "unknown" || cause.confidence != "high", said.c_str());
        }
    }
};

QTEST_APPLESS_MAIN(TestBeyond)
#include "tst_beyond.moc"
