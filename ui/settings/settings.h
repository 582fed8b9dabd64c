// SPDX-License-Identifier: GPL-3.0-or-later
// What the user chose, as plain values, and their home in a QSettings file.
#pragma once

#include <QObject>
#include <QStringList>
#include <QVariantMap>
#include <array>
#include <memory>

#include "core/run/path_choice.h"
#include "ui/background_thread.h"
#include "ui/engine_types.h"
#include "ui/theme/theme.h"

namespace lockstep {

// What computes, as far as it is not a choice: told by the window, not kept.
struct PathState {
    QString
        in_use;  // computes the next token; another path than the one chosen where that diverges
    QString user_kernel;  // what is known of the user's kernels, in words
    bool user_kernel_passed = false;
    bool operator==(const PathState&) const = default;
};

// Which devices there are to choose from, and why none of them computes: told by the window.
struct DeviceState {
    QVector<FoundDevices::Gpu> gpus;
    QString problem;  // why there is no GPU, or why it is not used any more
    bool operator==(const DeviceState&) const = default;
};

struct Settings {
    // Kernels
    bool fused = true;  // as a whole
    std::array<bool, step_count> fused_steps{true, true, true, true, true, true, true};
    bool truth = false;            // instead: every step in f32, unfused
    QString user_kernel;           // the file of kernels of one's own that was loaded, or empty
    bool use_user_kernel = false;  // in place of fused, once they have passed

    // Sampling
    bool model_defaults = true;  // values that the model itself recommends go first
    double temperature = 0.7;
    int top_k = 40;
    double top_p = 0.95;
    double min_p = 0.05;
    double typical_p = 1;
    double repetition_penalty = 1.1;
    double presence_penalty = 0;
    double frequency_penalty = 0;
    int penalty_window = 64;
    qint64 seed = -1;       // -1: another one for each answer
    int max_tokens = 1024;  // 0: until the context is full
    QStringList stop_strings;

    // Engine
    EngineOptions engine;
    QString models_folder;  // empty: the usual one

    ThemeChoice theme = ThemeChoice::system;

    bool operator==(const Settings&) const = default;
};

PathChoice pathChoice(const Settings& settings);
// seed: used where the settings leave it to chance.
SamplingOptions samplingOptions(const Settings& settings, const GenerationDefaults& defaults,
                                quint64 seed);

// Settings are saved as they change, on a thread of its own: the file is on the disk a little
// later, or after sync(). Whatever is in it, values() is within its bounds.
class SettingsStore : public QObject {
    Q_OBJECT
  public:
    // file: an .ini of its own; empty: the user's.
    explicit SettingsStore(const QString& file = {}, QObject* parent = nullptr);
    ~SettingsStore() override;

    const Settings& values() const { return values_; }
    void set(const Settings& values);

    // What is remembered, not chosen.
    QString lastModel() const;
    void setLastModel(const QString& path);  // also the first of recentModels()
    QStringList recentModels() const;
    QString systemPrompt() const;
    void setSystemPrompt(const QString& text);
    QByteArray windowGeometry() const;
    void setWindowGeometry(const QByteArray& geometry);
    QVariant state(const QString& key, const QVariant& otherwise = {}) const;
    void setState(const QString& key, const QVariant& value);
    void sync();  // waits until all of it is on the disk
    BackgroundThread& thread() { return thread_; }

    const PathState& pathState() const { return path_state_; }
    void setPathState(const PathState& state);
    const DeviceState& deviceState() const { return device_state_; }
    void setDeviceState(const DeviceState& state);

  Q_SIGNALS:
    void changed(const lockstep::Settings& now, const lockstep::Settings& before);

    void pathStateChanged();
    void deviceStateChanged();

  private:
    struct Unsaved;

    void keep(const QVariantMap& values);

    QString file_;
    QVariantMap kept_;  // what the file holds, or soon will
    std::shared_ptr<Unsaved> unsaved_;
    Settings values_;
    PathState path_state_;
    DeviceState device_state_;
    BackgroundThread thread_;
};

}  // namespace lockstep
