// SPDX-License-Identifier: GPL-3.0-or-later
// The window: wires the chat page, the engine's thread, models, settings and what is said about
// them.
#pragma once

#include <QMainWindow>
#include <QPointer>
#include <functional>
#include <memory>
#include <optional>

#include "kernels/gpu_info.h"
#include "ui/engine_types.h"
#include "ui/inspector/inspection_types.h"
#include "ui/models/model_download.h"
#include "ui/models/model_library.h"
#include "ui/settings/settings.h"

class QStackedWidget;

namespace lockstep {

class ChatPage;
class ContextCount;
class EngineThread;
class HistoryPanel;
class InspectionThread;
class InspectorDock;
class ModelPicker;
class NoticeBar;
class PathCheck;
class ProgressStrip;
class SettingsDialog;
class StartPage;
class StatusLine;
struct WindowActions;

struct WindowOptions {
    QString settings_file = {};  // empty: the user's own
    DownloadTool download = {};
    QString conversations_file = {};  // empty: the user's own
    QString model = {};               // to open at start; empty: the last one
    qint64 conversation = 0;          // the same; 0: the last one
    QString device = {};  // instead of the settings' until they change; see EngineOptions
    DeviceFinder devices = {};
    // Starts the program again with these arguments and ends this process, at once: its GPU cannot
    // be waited for. False, or none: it cannot.
    std::function<bool(const QStringList& arguments)> restart = {};
    // For tests: a fault in what is checked as "fused" on its first use with a model.
    std::optional<FaultSpec> planted_fault = {};
    IsolationOptions isolation = {};  // of the user's kernels
};

class MainWindow : public QMainWindow {
    Q_OBJECT
  public:
    explicit MainWindow(const WindowOptions& options, QWidget* parent = nullptr);
    ~MainWindow() override;

    // A GGUF file or a Hugging Face folder. Where it cannot be opened, the model in use stays.
    void openModel(const QString& path);
    // A shared object with kernels of the user's: checked in a child process, then told of; chosen
    // for the chat only if the user says so.
    void loadKernel(const QString& file);
    const LoadedModel& modelInUse() const { return model_; }
    bool isLoading() const { return !loading_.isEmpty(); }
    ChatPage* chat() const { return chat_; }
    HistoryPanel* history() const { return history_; }
    NoticeBar* notice() const { return notice_; }
    SettingsStore* settings() const { return store_; }
    SettingsDialog* openSettings();
    PathCheck* check() const { return check_; }
    EngineThread* engine() const { return engine_; }
    // Compares paths of the model in use, beside the chat.
    InspectionThread* inspection() const { return inspection_; }
    InspectorDock* inspector() const { return inspector_; }

    // Ends the engine's thread; false where it did not end in time. The window's close does this.
    bool shutDown();

  Q_SIGNALS:
    // The status bar's check was clicked, or "Show" on what it found. A run of an earlier start has
    // no inspection, only the request that makes it.
    void inspectorWanted(const lockstep::FinishedInspection& run);

  protected:
    void closeEvent(QCloseEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void build(const QString& conversations_file);
    void connectEngine();
    void connectChat();
    void connectHistory(qint64 conversation);
    void connectModels();
    void connectActions();
    void connectCheck();
    void connectInspector(const IsolationOptions& isolation);

    void openFirstModel(const QString& wanted);
    void chooseFile();
    void chooseFolder();
    void showLoadStep(const LoadStep& step);
    void takeModel(const LoadedModel& model);
    void sayLoadFailed(const LoadFailure& failure);
    void refreshModelState();
    QString titleOf(const LoadedModel& model) const;

    void ask(const QVector<ChatEntry>& conversation);
    void showTokens(const TokenBatch& batch);
    void endAnswer(qint64 context_used);
    void showContext(qint64 used);
    void countContext();

    void applySettings(const Settings& now, const Settings& before);
    void applyPath();
    void applyEngineOptions();
    void refreshBusy();
    void showCheck();
    void sayFallback();
    void sayKernel();
    void chooseKernel();
    void tellPathState();
    void chooseFused(bool on);
    void showInspector(bool on);

    void download(const QString& name);
    void showDownload(qint64 done, qint64 total);
    void endDownload();
    void showHelp();

    EngineOptions engineOptions() const;
    QString whyNoGpu() const;
    void tellDevices();
    void goOnByCpu(ErrorKind kind, const QString& message, const QString& path);
    void sayTooLittleMemory(const LoadFailure& failure, const QString& summary);
    void openWith(const QString& path, const std::function<void(EngineOptions&)>& change);
    void saveAll();
    void restart();

    SettingsStore* store_;
    Theme* theme_;
    ModelLibrary library_;
    EngineThread* engine_;
    ContextCount* context_count_;
    PathCheck* check_;
    InspectionThread* inspection_;
    ModelDownload* download_;
    LoadedModel model_;
    QString loading_;  // the path being opened, or empty
    JobId loading_job_ = 0;
    EngineOptions applied_;
    QString downloading_;        // the catalogue's name
    bool options_wait_ = false;  // for the answer's end
    bool closed_cleanly_ = true;
    bool fallback_said_ = false;
    bool kernel_awaited_ = false;  // the user has just loaded it
    QVector<FoundDevices::Gpu> gpus_;
    QString gpus_problem_;
    QString device_for_now_;  // instead of the settings'
    QString gpu_gone_;        // why this process can use no GPU any more, or empty
    std::function<bool(const QStringList&)> restart_;

    ChatPage* chat_;
    std::unique_ptr<WindowActions> actions_;
    ModelPicker* picker_;
    HistoryPanel* history_;
    InspectorDock* inspector_;
    NoticeBar* notice_;
    ProgressStrip *load_strip_, *download_strip_;
    QStackedWidget* pages_;
    StartPage* start_;
    StatusLine* status_;
    QPointer<SettingsDialog> settings_dialog_;
};

}  // namespace lockstep
