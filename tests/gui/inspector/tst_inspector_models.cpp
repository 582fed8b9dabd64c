// SPDX-License-Identifier: GPL-3.0-or-later
// What the inspector's plot and tables are made from, held against the comparison itself.
#include <QAbstractItemModelTester>
#include <cmath>
#include <limits>

#include "tests/gui/inspector/sample_inspections.h"
#include "ui/inspector/beside_table_model.h"
#include "ui/inspector/error_map_model.h"
#include "ui/inspector/figures.h"
#include "ui/inspector/histogram_model.h"
#include "ui/inspector/layer_table_model.h"
#include "ui/inspector/plot_data.h"
#include "ui/inspector/run_history_model.h"
#include "ui/inspector/tap_detail.h"
#include "ui/inspector/tap_table_model.h"
#include "ui/inspector/worst_elements_model.h"

using namespace lockstep;
using namespace lockstep::test;

class TestInspectorModels : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void aPointForEachLayer();
    void aPointForEachStep();
    void theFirstDivergenceHasAPoint();
    void oneTensorAlone();
    void aTensorThatALayerLacks();
    void theWorstPassIsFound();
    void equalAndInfiniteHaveAPlace();
    void positiveValuesNeedNoBand();
    void tableSaysWhatThePlotShows();
    void tapsOfALayer();
    void worstElements();
    void figuresBehindHeatmapAndHistogram();
    void runsBesideEachOther();
    void historyForgetsTheOldest();
    void figuresAreNeverRoundedToPerfect();

  private:
    const Comparison& wrong() const { return wrong_->comparison(); }
    SharedRun wrong_, right_;
    int layers_ = 0;
};

void TestInspectorModels::initTestCase() {
    wrong_ = sampleRun("k_bias_dropped@layer=1");
    right_ = sampleRun("");
    layers_ = int(tinyModel()->config.num_hidden_layers);
    QVERIFY(wrong().first);
    QVERIFY(!right_->comparison().first);
}

void TestInspectorModels::aPointForEachLayer() {
    const PlotData data = plot_data(wrong(), {});
    QCOMPARE(data.points.size(), size_t(layers_ + 2));
    QCOMPARE(data.points.front().layer, -1);
    QCOMPARE(data.points.back().layer, layers_);
    QCOMPARE(data.num_hidden_layers, layers_);
    QCOMPARE(data.find(1, StepId::down), std::optional<size_t>(2));
}

void TestInspectorModels::aPointForEachStep() {
    PlotChoice choice;
    choice.by_step = true;
    const PlotData data = plot_data(wrong(), choice);
    QCOMPARE(data.points.size(), size_t(layers_ * 5 + 2));
    QCOMPARE(data.points[1].step, StepId::qkv);
    QVERIFY(data.first);
    QCOMPARE(data.points[*data.first].step, StepId::qkv);
    QCOMPARE(data.points[*data.first].layer, 1);
}

void TestInspectorModels::theFirstDivergenceHasAPoint() {
    const PlotData data = plot_data(wrong(), {});
    QVERIFY(data.first);
    const PlotPoint& point = data.points[*data.first];
    QCOMPARE(point.layer, 1);
    QVERIFY(point.diverged);
    QCOMPARE(point.tensor, std::string("k"));
    QVERIFY(point.local > 2 * point.noise_floor);
    QVERIFY(!data.points[1].diverged);
    QVERIFY(!plot_data(right_->comparison(), {}).first);
}

void TestInspectorModels::oneTensorAlone() {
    PlotChoice choice;
    choice.tensor = "mlp";
    const PlotData data = plot_data(wrong(), choice);
    QCOMPARE(data.points.size(), size_t(layers_));  // neither embed nor logits has it
    for (const PlotPoint& point : data.points) {
        QCOMPARE(point.tensor, std::string("mlp"));
        QVERIFY(!point.diverged);  // the fault is in k
    }
    const std::vector<std::string> names = plot_tensors(wrong());
    QCOMPARE(names.front(), std::string("hidden"));
    QCOMPARE(names.back(), std::string("logits"));
}

void TestInspectorModels::aTensorThatALayerLacks() {
    PlotChoice choice;
    choice.tensor = "no such tensor";
    QVERIFY(plot_data(wrong(), choice).points.empty());
    choice.tensor = "q";
    QVERIFY(!plot_data(wrong(), choice).find(-1, StepId::embed));
}

void TestInspectorModels::theWorstPassIsFound() {
    const auto place = worst_place(wrong(), 1, StepId::qkv, "k", std::nullopt);
    QVERIFY(place);
    QCOMPARE(place->layer, 1);
    QCOMPARE(place->tensor, std::string("k"));
    const auto second = worst_place(wrong(), 1, StepId::qkv, "k", 1);
    QVERIFY(second);
    QCOMPARE(second->pass, wrong().passes[1].pass);
    QVERIFY(!worst_place(wrong(), 1, StepId::qkv, "nothing", std::nullopt));
}

void TestInspectorModels::equalAndInfiniteHaveAPlace() {
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> values{0, 1e-3, 0.5, infinity};
    const LogScale scale = log_scale(values);
    QVERIFY(scale.has_zero && scale.has_infinite);
    const double zero = scale.place(0), infinite = scale.place(infinity);
    QVERIFY(zero > scale.lower && zero < scale.zero_edge && scale.zero_edge <= 1e-3);
    QVERIFY(infinite < scale.upper && infinite > scale.infinite_edge);
    QVERIFY(scale.infinite_edge >= 0.5);
    QCOMPARE(scale.place(0.5), 0.5);
    QCOMPARE(scale.place(std::nan("")), infinite);
    QVERIFY(scale.place(1e-3) > zero);
    // Nothing but zeros: a comparison of a path with itself.
    const std::vector<double> zeros(4, 0.0);
    const LogScale equal = log_scale(zeros);
    QVERIFY(equal.lower > 0 && equal.upper > equal.lower && equal.place(0) > equal.lower);
}

void TestInspectorModels::positiveValuesNeedNoBand() {
    const std::vector<double> values{1e-3, 0.5};
    const LogScale scale = log_scale(values);
    QVERIFY(!scale.has_zero && !scale.has_infinite);
    QVERIFY(scale.lower <= 1e-3 && scale.upper >= 0.5);
    QCOMPARE(scale.lower, scale.zero_edge);
}

void TestInspectorModels::tableSaysWhatThePlotShows() {
    LayerTableModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    const PlotData data = plot_data(wrong(), {});
    model.setPlot(data);
    QCOMPARE(model.rowCount(), int(data.points.size()));
    const int row = int(*data.first);
    const auto cell = [&](int column) { return model.index(row, column).data().toString(); };
    QCOMPARE(cell(LayerTableModel::place), QStringLiteral("layer 1"));
    QCOMPARE(cell(LayerTableModel::tensor), QStringLiteral("k"));
    QCOMPARE(cell(LayerTableModel::local), figureText(data.points[size_t(row)].local));
    QCOMPARE(cell(LayerTableModel::verdict), QStringLiteral("diverged"));
    model.setPlot({});
    QCOMPARE(model.rowCount(), 0);
}

void TestInspectorModels::tapsOfALayer() {
    TapTableModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    const auto layers = worst_layers(wrong());
    model.setLayer(layers[2]);
    const int k = model.rowOf(StepId::qkv, "k");
    QVERIFY(k > 0);
    QCOMPARE(model.mostTelling(), k);
    QVERIFY(model.index(k, 0).data(TapTableModel::DivergedRole).toBool());
    QVERIFY(!model.index(k, 0).data(Qt::ToolTipRole).toString().isEmpty());
    // The step's input comes first, and is the same: nothing parted before.
    QVERIFY(model.index(0, 0).data(TapTableModel::IsInputRole).toBool());
    QCOMPARE(model.index(0, TapTableModel::verdict).data().toString(),
             wrong().input == InputState::identical ? QStringLiteral("identical")
                                                    : QStringLiteral("same but for rounding"));
    model.setLayer(layers[0]);
    QCOMPARE(model.index(0, TapTableModel::tensor).data().toString(), QStringLiteral("hidden"));
    QCOMPARE(model.mostTelling(), 0);
}

void TestInspectorModels::worstElements() {
    const auto detail = tap_detail(*wrong_->inspection().step, "k");
    QVERIFY(detail);
    WorstElementsModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setDetail(*detail);
    QVERIFY(model.rowCount() > 0 && model.rowCount() <= 100);
    const WorstElement& worst = detail->figures.worst.front();
    QCOMPARE(model.index(0, WorstElementsModel::channel).data().toString(),
             QString::number(worst.channel));
    QVERIFY(!tap_detail(*wrong_->inspection().step, "attn"));
}

void TestInspectorModels::figuresBehindHeatmapAndHistogram() {
    const auto detail =
        std::make_shared<const TapDetail>(*tap_detail(*wrong_->inspection().step, "k"));
    ErrorMapModel cells;
    HistogramModel bins;
    QAbstractItemModelTester cells_tester(&cells,
                                          QAbstractItemModelTester::FailureReportingMode::Fatal);
    QAbstractItemModelTester bins_tester(&bins,
                                         QAbstractItemModelTester::FailureReportingMode::Fatal);
    cells.setDetail(detail);
    const ErrorMap& map = detail->figures.map;
    QCOMPARE(cells.rowCount(), int(map.rows));
    QCOMPARE(cells.columnCount(), int(map.columns));
    QCOMPARE(cells.index(1, 2).data().toString(), figureText(map.cells[size_t(map.columns + 2)]));
    cells.setDetail(detail, true);
    QCOMPARE(cells.index(1, 2).data().toString(),
             figureText(detail->figures.floor_map.cells[size_t(map.columns + 2)]));
    bins.setHistogram(detail->figures.histogram);
    int64_t candidate = 0, reference = 0;
    for (int row = 0; row < bins.rowCount(); ++row) {
        const auto number = [&](int column) {
            return QLocale().toLongLong(bins.index(row, column).data().toString());
        };
        candidate += number(HistogramModel::candidate);
        reference += number(HistogramModel::reference);
    }
    const TapLayout& layout = detail->figures.layout;
    QCOMPARE(candidate, layout.rows * layout.columns);  // every element is in one of the bins
    QCOMPARE(reference, candidate);
    cells.setDetail(nullptr);
    QCOMPARE(cells.rowCount(), 0);
}

void TestInspectorModels::runsBesideEachOther() {
    BesideTableModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setRuns(QStringLiteral("run 1"), plot_data(wrong(), {}), QStringLiteral("run 2"),
                  plot_data(right_->comparison(), {}));
    QCOMPARE(model.rowCount(), layers_ + 2);
    const auto cell = [&](int row, int column) { return model.index(row, column).data(); };
    QCOMPARE(cell(2, BesideTableModel::verdict_before).toString(), QStringLiteral("diverged"));
    QCOMPARE(cell(2, BesideTableModel::verdict_after).toString(), QStringLiteral("match"));
    QVERIFY(model.headerData(1, Qt::Horizontal, Qt::DisplayRole).toString().contains("run 1"));
}

void TestInspectorModels::historyForgetsTheOldest() {
    RunHistoryModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    for (int i = 1; i <= RunHistoryModel::most_runs + 3; ++i) {
        auto run = std::make_shared<InspectionRun>(*wrong_);
        run->number = i;
        model.add(run);
    }
    QCOMPARE(model.rowCount(), RunHistoryModel::most_runs);
    QCOMPARE(model.at(0)->number, RunHistoryModel::most_runs + 3);
    QCOMPARE(model.rowOf(wrong_->inspection()), 0);
    QCOMPARE(model.rowOf(right_->inspection()), -1);
    QCOMPARE(model.index(0, RunHistoryModel::verdict).data().toString(),
             QStringLiteral("layer 1, qkv k"));
    model.clear();
    QCOMPARE(model.rowCount(), 0);
}

void TestInspectorModels::figuresAreNeverRoundedToPerfect() {
    QCOMPARE(shareText(1), QStringLiteral("100 %"));
    QCOMPARE(shareText(0), QStringLiteral("0 %"));
    QCOMPARE(shareText(1e-7), QStringLiteral("<0.01 %"));
    QCOMPARE(figureText(4254.2), QStringLiteral("4254"));
    QCOMPARE(shareText(0.9999999), QStringLiteral("99.99 %"));
    QCOMPARE(cosineText(1), QStringLiteral("1"));
    QCOMPARE(cosineText(0.99999999), QStringLiteral("0.999999"));
    QCOMPARE(figureText(0), QStringLiteral("0"));
    QCOMPARE(figureText(std::numeric_limits<double>::infinity()), QStringLiteral("not finite"));
}

QTEST_MAIN(TestInspectorModels)
#include "tst_inspector_models.moc"
