// SPDX-License-Identifier: GPL-3.0-or-later
// What others read of an inspection: the page, the Markdown, and the figures that both draw.
#include <QRegularExpression>
#include <QXmlStreamReader>
#include <QTest>
#include <cmath>

#include "core/inspect/html_figures.h"
#include "core/inspect/html_report.h"
#include "core/inspect/markdown_report.h"
#include "core/inspect/markup.h"
#include "core/inspect/report.h"
#include "tests/support/tiny_model.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

const KernelPath& path(const char* name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

Inspection inspect_wrong_k(bool with_fault) {
    const auto recipes = read_tiny_recipes();
    CompareRequest request;
    request.model = make_tiny_model(recipes->front(), DType::bf16);
    request.threads = 2;
    request.prompts = {{3, 1, 4, 1, 5, 9, 2, 6}};
    request.decode_steps = 1;
    request.candidate = request.reference = request.floor = path("reference");
    request.truth = path("truth");
    request.candidate.name = "mine <b>&\"";
    if (with_fault) {
        const StepFunction<QkvArgs> honest = request.candidate.qkv;
        request.candidate.qkv = [honest](const QkvArgs& args, Stream& stream) {
            QkvArgs changed = args;
            if (args.context.layer == 1) changed.k_bias = Tensor();
            return honest(changed, stream);
        };
    }
    auto result = inspect(request);
    return result ? std::move(*result) : Inspection{};
}

// The page as XML, so that an element left open or a character left bare is an error.
QString xml_error(const std::string& html) {
    QString text = QString::fromStdString(html);
    text.remove("<!DOCTYPE html>");
    text.replace(QRegularExpression("<(meta[^>]*)>"), "<\\1/>");
    QXmlStreamReader reader(text);
    while (!reader.atEnd()) reader.readNext();
    return reader.hasError()
               ? QStringLiteral("line %1: %2").arg(reader.lineNumber()).arg(reader.errorString())
               : QString();
}

// Errors planted by hand in a tap of two heads of three channels.
struct PlantedStep {
    std::vector<float> candidate, reference, truth;
    StepRuns runs;

    PlantedStep() : candidate(24), reference(24), truth(24) {
        for (size_t i = 0; i < truth.size(); ++i)
            candidate[i] = reference[i] = truth[i] = static_cast<float>(i);
        const auto args = [](std::vector<float>& values) {
            AttentionArgs step;
            step.q = Tensor(values.data(), DType::f32, {4, 2, 3});
            step.attn = Tensor(values.data(), DType::f32, {4, 6});
            return StepArgs(step);
        };
        runs.candidate.args = args(candidate);
        runs.reference.args = args(reference);
        runs.truth.args = args(truth);
    }
};

}  // namespace

class TestReports : public QObject {
    Q_OBJECT
    Inspection wrong_, right_;

  private Q_SLOTS:
    void initTestCase() {
        wrong_ = inspect_wrong_k(true);
        right_ = inspect_wrong_k(false);
        QVERIFY(wrong_.comparison.diverged() && wrong_.step);
        QVERIFY(!right_.comparison.passes.empty() && !right_.comparison.diverged());
    }

    void the_page_is_whole_and_loads_nothing() {
        for (const Inspection* inspection : {&wrong_, &right_}) {
            const std::string html = html_report(*inspection, {"Hello"});
            QVERIFY2(xml_error(html).isEmpty(), qPrintable(xml_error(html)));
            const QString text = QString::fromStdString(html);
            for (const char* loads :
                 {"http:", "https:", "src=", "href=", "url(", "<script", "@import"})
                QVERIFY2(!text.contains(loads), loads);
            QVERIFY(text.contains("prefers-color-scheme: dark"));
            QVERIFY(text.contains("default-src 'none'"));
        }
    }

    void the_page_says_where_and_shows_it() {
        const QString html = QString::fromStdString(html_report(wrong_, {"Hello"}));
        QVERIFY(html.contains("First divergence: layer 1, qkv"));
        QVERIFY(html.contains(">layer 1, qkv: k<"));  // the labelled line of the plot
        QVERIFY(html.contains("Where k is off"));
        QVERIFY(!html.contains("Where q is off"));
        QVERIFY(html.contains("Worst elements"));
        QVERIFY(html.contains("class=\"ring\""));
        QVERIFY(html.contains("verdict diverged"));
        const QString matching = QString::fromStdString(html_report(right_, {"Hello"}));
        QVERIFY(!matching.contains("First divergence") && !matching.contains("class=\"first\""));
        QCOMPARE(matching.count("class=\"ring\""), 1);  // in the legend only
    }

    void what_others_wrote_stays_text_data() {
        QTest::addColumn<QByteArray>("prompt");
        QTest::newRow("markup") << QByteArray("<script>alert('x')</script> & \"quotes\"");
        QTest::newRow("not UTF-8") << QByteArray("a\xff\xfe\x80z");
        QTest::newRow("NUL and escapes") << QByteArray("a\0b\x1b[31mred\x7f", 12);
        QTest::newRow("long, cut inside a character")
            << QByteArray("x").append(QByteArray("\xf0\x9f\x98\x80").repeated(200));
        QTest::newRow("Markdown") << QByteArray("| a | `b` *c* <img> [l](u) #1 @all ~x~\n\n# d");
    }
    void what_others_wrote_stays_text() {
        QFETCH(QByteArray, prompt);
        const std::string html = html_report(wrong_, {prompt.toStdString()});
        QVERIFY2(xml_error(html).isEmpty(), qPrintable(xml_error(html)));
        QVERIFY(html.find("<script") == html.npos);
        QVERIFY(html.find("mine <b>") == html.npos);
        QVERIFY(html.find("mine &lt;b&gt;&amp;&quot;") != html.npos);
        const QString markdown =
            QString::fromStdString(markdown_report(wrong_, {prompt.toStdString()}));
        QVERIFY(!markdown.contains("\n# d"));
        const QRegularExpression bare("(^|[^\\\\])(<script|<img|@all|\\|\\s*a)");
        QVERIFY(!markdown.contains(bare));
    }

    void markdown_is_short_and_says_it() {
        const QString text = QString::fromStdString(markdown_report(wrong_, {"Hello"}));
        QVERIFY(text.startsWith("### Lockstep: mine "));
        QVERIFY(text.contains("| layer 1 | qkv | k |"));
        QVERIFY(text.contains("**diverged**"));
        QVERIFY(text.count('\n') < 40);
        const QString matching = QString::fromStdString(markdown_report(right_, {"Hello"}));
        QVERIFY(matching.contains(": match\n"));
        QVERIFY(!matching.contains("diverged"));
    }

    void a_diagnosis_is_shown_with_its_evidence() {
        Inspection inspection = inspect_wrong_k(true);
        Diagnosis diagnosis;
        diagnosis.causes = {{"k_bias_dropped",
                             {{"layer", "1"}},
                             0.9999,
                             0.4,
                             "high",
                             "k's bias is dropped",
                             "without <b> it fits"}};
        diagnosis.excluded = {{"rope_missing", 0.02}};
        diagnosis.pattern = {"k", "all", "0", "every 16th", "mixed", "", 1.5};
        inspection.diagnosis = diagnosis;
        const QString html = QString::fromStdString(html_report(inspection, {"Hello"}));
        for (const char* part : {"k_bias_dropped", "99.99%", "without &lt;b&gt; it fits",
                                 "rope_missing", "every 16th"})
            QVERIFY2(html.contains(part), part);
        const QString markdown = QString::fromStdString(markdown_report(inspection, {"Hello"}));
        QVERIFY(markdown.contains("`k_bias_dropped`"));
    }

    void the_worst_elements_are_the_planted_ones() {
        PlantedStep step;
        step.candidate[15] += 0.5f;  // row 2, head 1, channel 0
        step.candidate[1] -= 0.25f;  // row 0, head 0, channel 1
        step.reference[20] += 0.0625f;
        const auto found = drill_down(step.runs, "attn");
        QVERIFY(found.has_value());
        const WorstElement& first = found->worst[0];
        QCOMPARE(first.token, int64_t{2});
        QCOMPARE(first.head, int64_t{1});
        QCOMPARE(first.channel, int64_t{0});
        QCOMPARE(first.error, 0.5);
        QCOMPARE(first.ulp, 0.5 / std::ldexp(1.0, 3 - 23));
        QCOMPARE(found->worst[1].channel, int64_t{1});
        QCOMPARE(found->map.cells[2 * 6 + 3], 0.5);
        QCOMPARE(found->map.largest, 0.5);
        QCOMPARE(found->floor_map.cells[3 * 6 + 2], 0.0625);
        const ErrorHistogram& histogram = found->histogram;
        QCOMPARE(histogram.candidate_exact, int64_t{22});
        QCOMPARE(histogram.first_exponent, -4);
        QCOMPARE(histogram.candidate, (std::vector<int64_t>{0, 0, 1, 1}));
        QCOMPARE(histogram.reference, (std::vector<int64_t>{1, 0, 0, 0}));
        QVERIFY(!drill_down(step.runs, "nothing"));
    }

    void what_is_not_finite_is_the_worst() {
        PlantedStep step;
        step.candidate[7] = NAN;
        step.candidate[3] += 100;
        const auto found = drill_down(step.runs, "attn");
        QVERIFY(std::isinf(found->worst[0].error));
        QCOMPARE(found->worst[0].token, int64_t{1});
        QCOMPARE(found->histogram.candidate_not_finite, int64_t{1});
        QCOMPARE(found->map.largest, 100.0);
        QVERIFY(error_map_svg(*found).find("s-nan") != std::string::npos);
    }

    void a_map_of_many_cells_keeps_to_the_heads() {
        std::vector<float> zero(130 * 9 * 64), one = zero;
        one[129 * 9 * 64 + 8 * 64 + 63] = 2;  // the last element of all
        StepRuns runs;
        for (auto [run, values] :
             {std::pair{&runs.candidate, &one}, {&runs.reference, &zero}, {&runs.truth, &zero}}) {
            AttentionArgs step;
            step.q = Tensor(values->data(), DType::f32, {130, 9, 64});
            step.attn = Tensor(values->data(), DType::f32, {130, 576});
            run->args = step;
        }
        const auto found = drill_down(runs, "attn");
        QVERIFY(found->map.rows <= 48 && found->map.columns <= 96);
        QCOMPARE(64 % found->map.channels_per_cell, int64_t{0});
        QCOMPARE(found->map.cells.back(), 2.0);
        QCOMPARE(std::count(found->map.cells.begin(), found->map.cells.end(), 2.0), 1);
    }

    void logits_are_compared_as_a_user_would_see_them() {
        std::vector<float> p{4, 3, 2, 1, 0, -1, -2}, q{3, 4, 2, 1, -1, 0, -2};
        const auto compared = [&] {
            return compare_logits(Tensor(q.data(), DType::f32, {1, 7}),
                                  Tensor(p.data(), DType::f32, {1, 7}));
        };
        // p and q are the same values in another order: their normalisers cancel.
        double sum = 0, kl = 0;
        for (const double logit : p) sum += std::exp(logit);
        for (size_t i = 0; i < p.size(); ++i) kl += std::exp(double{p[i]}) / sum * (p[i] - q[i]);
        LogitsComparison found = compared();
        QVERIFY(std::abs(found.kl - kl) < 1e-12 && kl > 0.1);
        QCOMPARE(found.max_error, 1.0);
        QCOMPARE(found.top1_agree, 0.0);
        QCOMPARE(found.top5_overlap, 0.8);  // token 4 gave way to token 5
        QVERIFY(!found.allclose_1e3);
        q = p;
        found = compared();
        QCOMPARE(found.kl, 0.0);
        QCOMPARE(found.top1_agree, 1.0);
        QVERIFY(found.allclose_1e3);
        for (const float wrong : {NAN, INFINITY}) {
            q = p;
            q[2] = wrong;
            found = compared();
            QVERIFY(std::isinf(found.max_error) && std::isinf(found.kl) && !found.allclose_1e3);
            QCOMPARE(found.top1_agree, std::isnan(wrong) ? 1.0 : 0.0);
        }
    }

    // A figure of the finite elements alone would say that all is well.
    void what_is_not_finite_is_null_and_the_json_valid() {
        CompareRequest request;
        request.model = make_tiny_model(read_tiny_recipes()->front(), DType::bf16);
        request.threads = 2;
        request.prompts = {{3, 1, 4}};
        request.candidate = request.reference = request.floor = path("reference");
        request.truth = path("truth");
        request.candidate.down = [](const DownArgs& args, Stream& stream) -> Status {
            LOCKSTEP_TRY(path("reference").down(args, stream));
            store_element(args.hidden.data, args.hidden.dtype, 1, NAN);
            return {};
        };
        const auto found = inspect(request);
        QVERIFY(found && found->comparison.diverged());
        const OrderedJson json = comparison_json(found->comparison, {"Hello"});
        const auto parsed = parse_json(json.dump(), "the report");
        QVERIFY2(parsed.has_value(), parsed ? "" : parsed.error().message.c_str());
        const Json& tap = (*parsed)["layers"][1]["steps"][4]["taps"][0];
        QCOMPARE(tap["tensor"].get<std::string>(), std::string("hidden"));
        for (const char* figure : {"max", "rms", "max_rel", "cosine", "ulp"})
            QVERIFY2(tap["local"][figure].is_null(), figure);
        QVERIFY(tap["local"]["within_1e3"].get<double>() < 1);
        QVERIFY(tap["drift"]["max"].is_null() && tap["noise_floor"]["max"].is_number());
        QVERIFY((*parsed)["logits"]["max_error"].is_null() && (*parsed)["logits"]["kl"].is_null());
        QVERIFY(html_report(*found, {"Hello"}).find("<dd>not finite nats</dd>") !=
                std::string::npos);
    }

    void a_share_is_never_rounded_to_all_or_nothing() {
        QCOMPARE(percent(1), std::string("100%"));
        QCOMPARE(percent(0.999999), std::string("99.99%"));
        QCOMPARE(percent(0.5), std::string("50.00%"));
        QCOMPARE(percent(1e-9), std::string("under 0.01%"));
        QCOMPARE(percent(0), std::string("0.00%"));
    }
};

QTEST_APPLESS_MAIN(TestReports)
#include "tst_reports.moc"
