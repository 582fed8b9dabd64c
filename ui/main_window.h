// SPDX-License-Identifier: GPL-3.0-or-later
// The window: wires the chat page, the engine's thread, models, settings and what is said about
// them.
#pragma once

#include <QMainWindow>
#include <QPointer>
#include <memory>

#include "ui/engine_types.h"
#include "ui/models/model_download.h"
#include "ui/models/model_library.h"
#include "ui/settings/settings.h"

class QStackedWidget;

namespace lockstep {

class ChatPage;
class EngineThread;
class HistoryPanel;
class ModelPicker;
class NoticeBar;
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
};

class MainWindow : public QMainWindow {
    Q_OBJECT
  public:
    explicit MainWindow(const WindowOptions& options, QWidget* parent = nullptr);
    ~MainWindow() override;

    // A GGUF file or a Hugging Face folder. Where it cannot be opened, the model in use stays.
    void openModel(const QString& path);
    const LoadedModel& modelInUse() const { return model_; }
    bool isLoading() const { return !loading_.isEmpty(); }
    ChatPage* chat() const { return chat_; }
    HistoryPanel* history() const { return history_; }
    NoticeBar* notice() const { return notice_; }
    SettingsStore* settings() const { return store_; }
    SettingsDialog* openSettings();

    // Ends the engine's thread; false where it did not end in time. The window's close does this.
    bool shutDown();

  protected:
    void closeEvent(QCloseEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void build(const QString& conversations_file);
    void connectEngine();
    void connectChat();
    void connectHistory();
    void connectModels();
    void connectActions();

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

    void applySettings(const Settings& now, const Settings& before);
    void applyPath();
    void applyEngineOptions();

    void download(const QString& name);
    void showDownload(qint64 done, qint64 total);
    void endDownload();
    void showHelp();

    SettingsStore* store_;
    Theme* theme_;
    ModelLibrary library_;
    EngineThread* engine_;
    ModelDownload* download_;
    LoadedModel model_;
    QString loading_;  // the path being opened, or empty
    JobId loading_job_ = 0;
    EngineOptions applied_;
    QString downloading_;        // the catalogue's name
    bool options_wait_ = false;  // for the answer's end
    bool closed_cleanly_ = true;

    ChatPage* chat_;
    std::unique_ptr<WindowActions> actions_;
    ModelPicker* picker_;
    HistoryPanel* history_;
    NoticeBar* notice_;
    ProgressStrip *load_strip_, *download_strip_;
    QStackedWidget* pages_;
    StartPage* start_;
    StatusLine* status_;
    QPointer<SettingsDialog> settings_dialog_;
};

}  // namespace lockstep
