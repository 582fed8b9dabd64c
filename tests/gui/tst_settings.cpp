// SPDX-License-Identifier: GPL-3.0-or-later
// Settings as values: kept across starts, within bounds whatever the file says, and what they mean.
#include <QSemaphore>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "ui/settings/settings.h"

using namespace lockstep;

class TestSettings : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void kept();
    void nobodyWaitsForTheDisk();
    void othersChangesStay();
    void garbageIsBounded();
    void pathChoices_data();
    void pathChoices();
    void sampling();
    void recentModels();

  private:
    QTemporaryDir folder_;
    QString file(const char* name) { return folder_.filePath(QLatin1String(name)); }
};

static Settings everythingChanged() {
    Settings s;
    s.fused = false;
    s.fused_steps[1] = s.fused_steps[5] = false;
    s.truth = true;
    s.model_defaults = false;
    s.temperature = 0.25;
    s.top_k = 7;
    s.top_p = 0.5;
    s.min_p = 0.125;
    s.typical_p = 0.75;
    s.repetition_penalty = 1.5;
    s.presence_penalty = -0.5;
    s.frequency_penalty = 0.5;
    s.penalty_window = 32;
    s.seed = 1234567;
    s.max_tokens = 99;
    s.stop_strings = {QStringLiteral("a, b"), QStringLiteral("Ende\"")};
    s.engine = {DType::f16, 3, 2048, QStringLiteral("cuda:1")};
    s.models_folder = QStringLiteral("/models/here");
    s.theme = ThemeChoice::dark;
    return s;
}

void TestSettings::kept() {
    const Settings wanted = everythingChanged();
    {
        SettingsStore store(file("kept.ini"));
        QCOMPARE(store.values(), Settings());
        QSignalSpy changed(&store, &SettingsStore::changed);
        store.set(wanted);
        store.set(wanted);
        QCOMPARE(changed.size(), 1);
    }
    SettingsStore again(file("kept.ini"));
    QCOMPARE(again.values(), wanted);
    again.set(Settings());
    again.sync();
    QCOMPARE(SettingsStore(file("kept.ini")).values(), Settings());
}

// The thread that writes is busy for as long as this test wants: the values are there meanwhile.
void TestSettings::nobodyWaitsForTheDisk() {
    SettingsStore store(file("slow.ini"));
    QSemaphore disk;
    store.thread().post([&] { disk.acquire(); });
    store.set(everythingChanged());
    store.setState(QStringLiteral("a"), 1);
    store.setState(QStringLiteral("a"), 2);
    QCOMPARE(store.values(), everythingChanged());
    QCOMPARE(store.state(QStringLiteral("a")).toInt(), 2);
    QCOMPARE(SettingsStore(file("slow.ini")).values(), Settings());
    disk.release();
    store.sync();
    const SettingsStore again(file("slow.ini"));
    QCOMPARE(again.values(), everythingChanged());
    QCOMPARE(again.state(QStringLiteral("a")).toInt(), 2);
}

// Two windows: each writes what was changed in it.
void TestSettings::othersChangesStay() {
    SettingsStore one(file("two.ini")), other(file("two.ini"));
    Settings warm = one.values(), dark = other.values();
    warm.temperature = 2;
    one.set(warm);
    one.sync();
    dark.theme = ThemeChoice::dark;
    other.set(dark);
    other.sync();
    const SettingsStore both(file("two.ini"));
    QCOMPARE(both.values().temperature, 2.0);
    QCOMPARE(both.values().theme, ThemeChoice::dark);
}

void TestSettings::garbageIsBounded() {
    QFile ini(file("garbage.ini"));
    QVERIFY(ini.open(QIODevice::WriteOnly));
    ini.write(
        "theme=purple\n[sampling]\ntemperature=nan\ntop_k=-5\ntop_p=17\nmin_p=lots\nseed=1e300\n"
        "penalty_window=@Invalid()\n[engine]\nthreads=99999999\ncontext=-1\ndtype=q4_0\ndevice="
        "toaster\n");
    ini.close();
    const Settings s = SettingsStore(file("garbage.ini")).values();
    const Settings normal;
    QCOMPARE(s.theme, normal.theme);
    QCOMPARE(s.temperature, normal.temperature);
    QCOMPARE(s.top_k, 0);
    QCOMPARE(s.top_p, 1.0);
    QCOMPARE(s.min_p, normal.min_p);
    QCOMPARE(s.seed, qint64(std::numeric_limits<int>::max()));
    QCOMPARE(s.penalty_window, normal.penalty_window);
    QCOMPARE(s.engine.threads, 1024);
    QCOMPARE(s.engine.context, qint64(0));
    QCOMPARE(s.engine.dtype, DType::bf16);
    QCOMPARE(s.engine.device, QStringLiteral("auto"));
}

void TestSettings::pathChoices_data() {
    QTest::addColumn<bool>("fused");
    QTest::addColumn<int>("reference_step");  // -1: none
    QTest::addColumn<bool>("truth");
    QTest::addColumn<QString>("name");
    QTest::newRow("all fused") << true << -1 << false << QStringLiteral("fused");
    QTest::newRow("none fused") << false << -1 << false << QStringLiteral("reference");
    QTest::newRow("one by the reference")
        << true << 1 << false << QStringLiteral("fused (reference: qkv)");
    QTest::newRow("as a whole goes first") << false << 1 << false << QStringLiteral("reference");
    QTest::newRow("truth goes before") << true << 1 << true << QStringLiteral("truth");
}

void TestSettings::pathChoices() {
    QFETCH(bool, fused);
    QFETCH(int, reference_step);
    QFETCH(bool, truth);
    QFETCH(QString, name);
    Settings s;
    s.fused = fused;
    s.truth = truth;
    if (reference_step >= 0) s.fused_steps[size_t(reference_step)] = false;
    QCOMPARE(QString::fromStdString(pathChoice(s).name()), name);
}

void TestSettings::sampling() {
    Settings s = everythingChanged();
    GenerationDefaults defaults;
    defaults.temperature = 0.9;
    defaults.top_k = 20;
    SamplingOptions options = samplingOptions(s, defaults, 5);
    QCOMPARE(options.temperature, 0.25);
    QCOMPARE(options.top_k, 7);
    QCOMPARE(options.repetition_penalty, 1.5);
    QCOMPARE(options.seed, quint64(1234567));
    s.model_defaults = true;
    s.seed = -1;
    options = samplingOptions(s, defaults, 5);
    QCOMPARE(options.temperature, 0.9);
    QCOMPARE(options.top_k, 20);
    QCOMPARE(options.top_p, 0.5);  // the model says nothing about it
    QCOMPARE(options.seed, quint64(5));
}

void TestSettings::recentModels() {
    SettingsStore store(file("recent.ini"));
    for (int i = 0; i < 12; ++i) store.setLastModel(QStringLiteral("/m/%1").arg(i));
    store.setLastModel(QStringLiteral("/m/9"));
    QCOMPARE(store.lastModel(), QStringLiteral("/m/9"));
    QCOMPARE(
        store.recentModels().mid(0, 3),
        QStringList({QStringLiteral("/m/9"), QStringLiteral("/m/11"), QStringLiteral("/m/10")}));
    QCOMPARE(store.recentModels().size(), 8);
}

QTEST_GUILESS_MAIN(TestSettings)
#include "tst_settings.moc"
