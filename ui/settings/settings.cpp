// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/settings/settings.h"

#include <QRegularExpression>
#include <QSettings>
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

constexpr int recent_models_kept = 8;

QString stepKey(int step) {
    const std::string_view name = step_name(static_cast<StepId>(step));
    return QStringLiteral("kernels/fused_") +
           QString::fromUtf8(name.data(), qsizetype(name.size()));
}

DType dtypeFromName(const QString& name) {
    if (name == QLatin1String("f16")) return DType::f16;
    if (name == QLatin1String("f32")) return DType::f32;
    return DType::bf16;
}

QString nameOf(DType dtype) {
    const std::string_view name = dtype_info(dtype).name;
    return QString::fromUtf8(name.data(), qsizetype(name.size()));
}

// Calls visit(key, value, low, high) for each number, visit(key, value) for what has no bounds: the
// one list of what is kept and under which name.
template <class S, class Visitor>
void visitSettings(S& s, Visitor&& visit) {
    constexpr double huge = std::numeric_limits<int>::max();
    visit("kernels/fused", s.fused);
    visit("kernels/truth", s.truth);
    visit("kernels/user_kernel", s.user_kernel);
    visit("kernels/use_user_kernel", s.use_user_kernel);
    visit("sampling/model_defaults", s.model_defaults);
    visit("sampling/temperature", s.temperature, 0.0, 5.0);
    visit("sampling/top_k", s.top_k, 0.0, 1000.0);
    visit("sampling/top_p", s.top_p, 0.0, 1.0);
    visit("sampling/min_p", s.min_p, 0.0, 1.0);
    visit("sampling/typical_p", s.typical_p, 0.0, 1.0);
    visit("sampling/repetition_penalty", s.repetition_penalty, 0.5, 3.0);
    visit("sampling/presence_penalty", s.presence_penalty, -2.0, 2.0);
    visit("sampling/frequency_penalty", s.frequency_penalty, -2.0, 2.0);
    visit("sampling/penalty_window", s.penalty_window, 0.0, 4096.0);
    visit("sampling/seed", s.seed, -1.0, huge);
    visit("sampling/max_tokens", s.max_tokens, 0.0, 1000000.0);
    visit("sampling/stop_strings", s.stop_strings);
    visit("engine/threads", s.engine.threads, 0.0, 1024.0);
    visit("engine/context", s.engine.context, 0.0, 10000000.0);
    visit("engine/device", s.engine.device);
    visit("engine/models_folder", s.models_folder);
}

class Reader {
  public:
    explicit Reader(const QVariantMap& kept) : kept_(kept) {}

    template <class T>
    void operator()(const char* key, T& value) const {
        const QVariant found = kept_.value(QLatin1String(key));
        if (found.isValid() && found.canConvert<T>()) value = found.value<T>();
    }
    template <class T>
    void operator()(const char* key, T& value, double low, double high) const {
        bool number = false;
        const double found = kept_.value(QLatin1String(key)).toDouble(&number);
        if (number && std::isfinite(found)) value = T(std::clamp(found, low, high));
    }

  private:
    const QVariantMap& kept_;
};

class Writer {
  public:
    explicit Writer(QVariantMap& kept) : kept_(kept) {}

    template <class T, class... Bounds>
    void operator()(const char* key, const T& value, Bounds...) const {
        kept_.insert(QLatin1String(key), QVariant::fromValue(value));
    }

  private:
    QVariantMap& kept_;
};

// "auto", "cpu" or "cuda:N"; anything else is no choice.
bool isDevice(const QString& id) {
    static const QRegularExpression gpu(QStringLiteral("^cuda:[0-9]{1,3}$"));
    return id == QLatin1String("auto") || id == QLatin1String("cpu") || gpu.match(id).hasMatch();
}

Settings read(const QVariantMap& kept) {
    Settings settings;
    visitSettings(settings, Reader(kept));
    for (int step = 0; step < step_count; ++step)
        settings.fused_steps[size_t(step)] = kept.value(stepKey(step), true).toBool();
    settings.engine.dtype = dtypeFromName(kept.value(QStringLiteral("engine/dtype")).toString());
    if (!isDevice(settings.engine.device)) settings.engine.device = EngineOptions().device;
    settings.theme = themeChoiceFromName(kept.value(QStringLiteral("theme")).toString());
    return settings;
}

QVariantMap written(const Settings& settings) {
    QVariantMap values;
    visitSettings(settings, Writer(values));
    for (int step = 0; step < step_count; ++step)
        values.insert(stepKey(step), settings.fused_steps[size_t(step)]);
    values.insert(QStringLiteral("engine/dtype"), nameOf(settings.engine.dtype));
    values.insert(QStringLiteral("theme"), themeChoiceName(settings.theme));
    return values;
}

QString usersFile() {
    const auto name = QStringLiteral("lockstep");
    return QSettings(QSettings::IniFormat, QSettings::UserScope, name, name).fileName();
}

QVariantMap contentOf(const QString& file) {
    const QSettings settings(file, QSettings::IniFormat);
    QVariantMap content;
    for (const QString& key : settings.allKeys()) content.insert(key, settings.value(key));
    return content;
}

}  // namespace

PathChoice pathChoice(const Settings& settings) {
    if (settings.truth) return PathChoice("truth");
    const bool own = settings.use_user_kernel && !settings.user_kernel.isEmpty();
    const std::string fused = own ? settings.user_kernel.toStdString() : "fused";
    PathChoice choice("reference");
    for (size_t step = 0; step < choice.steps.size(); ++step)
        if (settings.fused && settings.fused_steps[step]) choice.steps[step] = fused;
    return choice;
}

SamplingOptions samplingOptions(const Settings& settings, const GenerationDefaults& defaults,
                                quint64 seed) {
    SamplingOptions sampling;
    sampling.temperature = settings.temperature;
    sampling.top_k = settings.top_k;
    sampling.top_p = settings.top_p;
    sampling.min_p = settings.min_p;
    sampling.typical_p = settings.typical_p;
    sampling.repetition_penalty = settings.repetition_penalty;
    sampling.presence_penalty = settings.presence_penalty;
    sampling.frequency_penalty = settings.frequency_penalty;
    sampling.penalty_window = settings.penalty_window;
    sampling.seed = settings.seed >= 0 ? quint64(settings.seed) : seed;
    if (!settings.model_defaults) return sampling;
    sampling.temperature = defaults.temperature.value_or(sampling.temperature);
    sampling.top_k = defaults.top_k.value_or(sampling.top_k);
    sampling.top_p = defaults.top_p.value_or(sampling.top_p);
    sampling.min_p = defaults.min_p.value_or(sampling.min_p);
    sampling.repetition_penalty = defaults.repetition_penalty.value_or(sampling.repetition_penalty);
    return sampling;
}

// Changed here, and not handed to the file yet: several changes are one write.
struct SettingsStore::Unsaved {
    std::mutex mutex;
    QVariantMap values;
};

SettingsStore::SettingsStore(const QString& file, QObject* parent)
    : QObject(parent),
      file_(file.isEmpty() ? usersFile() : file),
      kept_(contentOf(file_)),
      unsaved_(std::make_shared<Unsaved>()),
      values_(read(kept_)) {}

SettingsStore::~SettingsStore() = default;

// Only what is another value now: another window's changes of the rest stay.
void SettingsStore::keep(const QVariantMap& values) {
    const std::scoped_lock lock(unsaved_->mutex);
    const bool waits = !unsaved_->values.isEmpty();
    for (auto it = values.cbegin(); it != values.cend(); ++it) {
        const auto known = kept_.constFind(it.key());
        if (known != kept_.cend() && *known == *it) continue;
        kept_.insert(it.key(), *it);
        unsaved_->values.insert(it.key(), *it);
    }
    if (waits || unsaved_->values.isEmpty()) return;
    thread_.post([file = file_, unsaved = unsaved_] {
        QVariantMap changed;
        {
            const std::scoped_lock taking(unsaved->mutex);
            changed.swap(unsaved->values);
        }
        QSettings settings(file, QSettings::IniFormat);
        for (auto it = changed.cbegin(); it != changed.cend(); ++it)
            settings.setValue(it.key(), *it);
    });
}

void SettingsStore::sync() {
    thread_.finish();
}

void SettingsStore::set(const Settings& values) {
    if (values == values_) return;
    const Settings before = std::exchange(values_, values);
    QVariantMap changes = written(values_);
    const QVariantMap old = written(before);
    for (auto it = old.cbegin(); it != old.cend(); ++it)
        if (changes.value(it.key()) == *it) changes.remove(it.key());
    keep(changes);
    Q_EMIT changed(values_, before);
}

void SettingsStore::setPathState(const PathState& state) {
    if (state == path_state_) return;
    path_state_ = state;
    Q_EMIT pathStateChanged();
}

void SettingsStore::setDeviceState(const DeviceState& state) {
    if (state == device_state_) return;
    device_state_ = state;
    Q_EMIT deviceStateChanged();
}

QString SettingsStore::lastModel() const {
    return state(QStringLiteral("models/last")).toString();
}

void SettingsStore::setLastModel(const QString& path) {
    QStringList recent = recentModels();
    recent.removeAll(path);
    recent.prepend(path);
    while (recent.size() > recent_models_kept) recent.removeLast();
    keep({{QStringLiteral("models/last"), path}, {QStringLiteral("models/recent"), recent}});
}

QStringList SettingsStore::recentModels() const {
    return state(QStringLiteral("models/recent")).toStringList();
}

QString SettingsStore::systemPrompt() const {
    return state(QStringLiteral("chat/system_prompt")).toString();
}

void SettingsStore::setSystemPrompt(const QString& text) {
    setState(QStringLiteral("chat/system_prompt"), text);
}

QByteArray SettingsStore::windowGeometry() const {
    return state(QStringLiteral("window/geometry")).toByteArray();
}

void SettingsStore::setWindowGeometry(const QByteArray& geometry) {
    setState(QStringLiteral("window/geometry"), geometry);
}

QVariant SettingsStore::state(const QString& key, const QVariant& otherwise) const {
    return kept_.value(key, otherwise);
}

void SettingsStore::setState(const QString& key, const QVariant& value) {
    keep({{key, value}});
}

}  // namespace lockstep
