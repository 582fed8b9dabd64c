// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <QCloseEvent>
#include <QDropEvent>
#include <QMenuBar>
#include <QMimeData>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolBar>
#include <QVBoxLayout>

#include "core/catalogue/catalogue.h"
#include "ui/chat/chat_page.h"
#include "ui/check/path_check.h"
#include "ui/context_count.h"
#include "ui/engine_thread.h"
#include "ui/help_dialog.h"
#include "ui/history/history_panel.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/models/model_picker.h"
#include "ui/models/start_page.h"
#include "ui/notice_bar.h"
#include "ui/progress_strip.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"
#include "ui/window_actions.h"

namespace lockstep {
namespace {

QString modelsFolder(const Settings& settings) {
    if (!settings.models_folder.isEmpty()) return settings.models_folder;
    return QString::fromStdString(default_models_folder().string());
}

// The local file or folder that is dragged; empty where it is anything else.
QString draggedPath(const QDropEvent* event) {
    const QList<QUrl> urls = event->mimeData()->urls();
    return urls.size() == 1 ? urls.first().toLocalFile() : QString();
}

}  // namespace

MainWindow::MainWindow(const WindowOptions& options, QWidget* parent)
    : QMainWindow(parent),
      store_(new SettingsStore(options.settings_file, this)),
      theme_(new Theme(this)),
      library_(options.download.catalogue),
      engine_(new EngineThread(options.devices, this)),
      context_count_(new ContextCount(this)),
      check_(new PathCheck(store_, {options.planted_fault, options.isolation}, this)),
      inspection_(new InspectionThread(this)),
      download_(new ModelDownload(options.download, this)),
      device_for_now_(options.device),
      restart_(options.restart),
      chat_(new ChatPage),
      actions_(std::make_unique<WindowActions>(this, *chat_)) {
    theme_->setChoice(store_->values().theme);
    library_.setFolder(modelsFolder(store_->values()));
    build(options.conversations_file);
    connectEngine();
    connectChat();
    connectHistory(options.conversation);
    connectModels();
    connectActions();
    connectCheck();
    connectInspector(options.isolation);
    connect(store_, &SettingsStore::changed, this, &MainWindow::applySettings);
    applyPath();
    applied_ = engineOptions();
    refreshModelState();
    engine_->findDevices();
    if (!restoreGeometry(store_->windowGeometry()))
        resize(fontMetrics().height() * 64, fontMetrics().height() * 46);
    openFirstModel(options.model);
}

MainWindow::~MainWindow() {
    shutDown();
}

void MainWindow::build(const QString& conversations_file) {
    setObjectName(QStringLiteral("main_window"));
    picker_ = new ModelPicker(&library_, {actions_->open_file, actions_->open_folder});
    notice_ = new NoticeBar;
    load_strip_ = new ProgressStrip;
    download_strip_ = new ProgressStrip;
    start_ = new StartPage(library_.defaultModel());
    pages_ = new QStackedWidget;
    pages_->addWidget(start_);
    pages_->addWidget(chat_);
    history_ = new HistoryPanel(conversations_file, chat_);
    auto* beside = new QSplitter;
    beside->addWidget(history_);
    beside->addWidget(pages_);
    beside->setStretchFactor(1, 1);
    beside->setChildrenCollapsible(false);
    auto* central = new QWidget;
    auto* column = new QVBoxLayout(central);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    for (QWidget* part :
         std::initializer_list<QWidget*>{notice_, load_strip_, download_strip_, beside})
        column->addWidget(part);
    column->setStretch(3, 1);
    setCentralWidget(central);

    status_ = new StatusLine;
    setStatusBar(status_);
    actions_->fillMenus(menuBar());
    auto* bar = new QToolBar(tr("Tools"));
    bar->setObjectName(QStringLiteral("tools"));
    bar->setMovable(false);
    bar->setContextMenuPolicy(Qt::PreventContextMenu);
    const int unit = fontMetrics().height();
    bar->setIconSize({unit * 5 / 4, unit * 5 / 4});
    picker_->setIconSize(bar->iconSize());
    actions_->fillToolBar(bar, picker_);
    addToolBar(bar);
    inspector_ = new InspectorDock(inspection_, this);
    addDockWidget(Qt::RightDockWidgetArea, inspector_);
    inspector_->hide();
    setContextMenuPolicy(Qt::PreventContextMenu);
    setAcceptDrops(true);
    // Also before the composer, which would take a dropped file's name as text.
    for (QWidget* child : findChildren<QWidget*>()) child->installEventFilter(this);
    installEventFilter(this);
}

void MainWindow::connectEngine() {
    connect(engine_, &EngineThread::loadProgressed, this, &MainWindow::showLoadStep);
    connect(engine_, &EngineThread::loaded, this, &MainWindow::takeModel);
    connect(engine_, &EngineThread::loadFailed, this, &MainWindow::sayLoadFailed);
    connect(engine_, &EngineThread::devicesFound, this, [this](const FoundDevices& found) {
        gpus_ = found.gpus;
        gpus_problem_ = found.problem;
        tellDevices();
    });
    connect(engine_, &EngineThread::tokensArrived, this, &MainWindow::showTokens);
    connect(engine_, &EngineThread::answerFinished, this, [this](const FinishedAnswer& answer) {
        chat_->finishAnswer(answer.stats);
        status_->setSpeed(answer.stats.tokensPerSecond);
        endAnswer(answer.context_used);
    });
    connect(engine_, &EngineThread::answerFailed, this, [this](const FailedAnswer& failure) {
        const bool no_memory = failure.kind == ErrorKind::out_of_memory;
        chat_->failAnswer(no_memory ? tr("%1. A shorter prompt, or a new chat, may fit; so may "
                                         "another context or device (Settings, Model).")
                                          .arg(failure.message)
                                    : failure.message);
        endAnswer(-1);
        if (device_is_gone(failure.kind)) goOnByCpu(failure.kind, failure.message, model_.path);
    });
}

void MainWindow::connectChat() {
    chat_->setSystemPrompt(store_->systemPrompt());
    connect(chat_, &ChatPage::sendRequested, this, &MainWindow::ask);
    connect(chat_, &ChatPage::stopRequested, engine_, &EngineThread::cancel);
    connect(chat_, &ChatPage::answeringChanged, actions_->stop, &QAction::setEnabled);
    connect(chat_, &ChatPage::systemPromptChanged, store_, &SettingsStore::setSystemPrompt);
    connect(chat_, &ChatPage::newChatStarted, this, [this] {
        engine_->forgetConversation();
        countContext();
        status_->setSpeed(0);
    });
}

void MainWindow::connectHistory(qint64 conversation) {
    const auto show_panel = QStringLiteral("window/conversations");
    const auto last = QStringLiteral("chat/conversation");
    connect(history_, &HistoryPanel::problemFound, this, [this](const QString& problem) {
        notice_->showNotice(NoticeBar::Kind::warning, tr("Conversations cannot be kept"), problem);
    });
    connect(history_, &HistoryPanel::conversationShown, this, &MainWindow::countContext);
    connect(context_count_, &ContextCount::counted, this, &MainWindow::showContext);
    connect(history_, &HistoryPanel::currentChanged, this,
            [this, last](qint64 id) { store_->setState(last, id); });
    connect(actions_->conversations, &QAction::toggled, this, [this, show_panel](bool on) {
        store_->setState(show_panel, on);
        refreshModelState();
    });
    actions_->conversations->setChecked(store_->state(show_panel, true).toBool());
    history_->open(conversation ? conversation : store_->state(last, 0).toLongLong());
}

void MainWindow::connectModels() {
    connect(picker_, &ModelPicker::chosen, this, &MainWindow::openModel);
    connect(picker_, &ModelPicker::downloadChosen, this, &MainWindow::download);
    connect(load_strip_, &ProgressStrip::cancelled, engine_, &EngineThread::cancel);
    connect(download_strip_, &ProgressStrip::cancelled, download_, &ModelDownload::cancel);
    connect(start_, &StartPage::downloadWanted, this, &MainWindow::download);
    connect(start_, &StartPage::openWanted, this, &MainWindow::openModel);
    connect(start_, &StartPage::cancelWanted, download_, &ModelDownload::cancel);
    connect(start_, &StartPage::openFileWanted, this, &MainWindow::chooseFile);
    connect(start_, &StartPage::openFolderWanted, this, &MainWindow::chooseFolder);
    connect(download_, &ModelDownload::progressed, this, &MainWindow::showDownload);
    connect(download_, &ModelDownload::cancelled, this, &MainWindow::endDownload);
    connect(download_, &ModelDownload::finished, this, [this](const QString& path) {
        endDownload();
        openModel(path);
    });
    connect(download_, &ModelDownload::failed, this, [this](const QString& message) {
        const QString name = downloading_;
        endDownload();
        notice_->showNotice(NoticeBar::Kind::error, tr("The download failed: %1").arg(message), {},
                            {tr("&Try again"), [this, name] { download(name); }});
    });
}

void MainWindow::connectActions() {
    connect(actions_->open_file, &QAction::triggered, this, &MainWindow::chooseFile);
    connect(actions_->open_folder, &QAction::triggered, this, &MainWindow::chooseFolder);
    connect(actions_->choose_model, &QAction::triggered, picker_, &QToolButton::showMenu);
    connect(actions_->settings, &QAction::triggered, this, &MainWindow::openSettings);
    connect(actions_->restart, &QAction::triggered, this, &MainWindow::restart);
    connect(actions_->quit, &QAction::triggered, this, &QWidget::close);
    connect(actions_->stop, &QAction::triggered, engine_, &EngineThread::cancel);
    connect(actions_->help, &QAction::triggered, this, &MainWindow::showHelp);
    connect(actions_->fused, &QAction::triggered, this, &MainWindow::chooseFused);
}

SettingsDialog* MainWindow::openSettings() {
    if (!settings_dialog_) {
        settings_dialog_ = new SettingsDialog(store_, this);
        settings_dialog_->setAttribute(Qt::WA_DeleteOnClose);
    }
    settings_dialog_->show();
    settings_dialog_->raise();
    settings_dialog_->activateWindow();
    return settings_dialog_;
}

void MainWindow::showHelp() {
    auto* help = new HelpDialog(actions_->all(), this);
    help->setAttribute(Qt::WA_DeleteOnClose);
    help->open();
}

void MainWindow::applySettings(const Settings& now, const Settings& before) {
    theme_->setChoice(now.theme);
    check_->setKernel(now.user_kernel);
    if (pathChoice(now) != pathChoice(before)) applyPath();
    if (now.models_folder != before.models_folder) {
        library_.setFolder(modelsFolder(now));
        refreshModelState();
    }
    if (now.engine.device != before.engine.device) device_for_now_.clear();
    if (now.engine != before.engine) applyEngineOptions();
}

void MainWindow::applyPath() {
    const Settings& settings = store_->values();
    check_->setChoice(pathChoice(settings));
    const PathChoice choice = check_->inUse();
    if (const Status status = engine_->setPath(choice); !status)
        notice_->showNotice(NoticeBar::Kind::error, tr("The kernels could not be changed"),
                            QString::fromStdString(status.error().message));
    else
        status_->setPath(QString::fromStdString(choice.name()));
    tellPathState();
    actions_->fused->setChecked(settings.fused && !settings.truth && !check_->fallsBack());
}

bool MainWindow::shutDown() {
    check_->cancel();
    inspection_->cancel();
    for (const bool ended : {engine_->shutDown(), check_->shutDown(), inspection_->shutDown()})
        closed_cleanly_ = closed_cleanly_ && ended;
    // What CUDA does as a process ends could wait for a GPU that does not answer.
    closed_cleanly_ = closed_cleanly_ && gpu_gone_.isEmpty();
    return closed_cleanly_;
}

void MainWindow::saveAll() {
    history_->saveNow();
    history_->finishSaving();
    store_->setWindowGeometry(saveGeometry());
    store_->setState(QStringLiteral("window/docks"), saveState());
    store_->sync();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    saveAll();
    hide();  // what remains to end takes a moment
    if (settings_dialog_) settings_dialog_->close();
    shutDown();
    event->accept();
}

void MainWindow::changeEvent(QEvent* event) {
    QMainWindow::changeEvent(event);
    // Painted with the palette's own colours: the whole window, at once.
    if (event->type() == QEvent::PaletteChange) update();
}

bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
    const auto type = event->type();
    if (type != QEvent::DragEnter && type != QEvent::DragMove && type != QEvent::Drop)
        return QMainWindow::eventFilter(watched, event);
    auto* drop = static_cast<QDropEvent*>(event);
    const QString path = draggedPath(drop);
    if (path.isEmpty()) return QMainWindow::eventFilter(watched, event);
    drop->acceptProposedAction();
    if (type == QEvent::Drop) openModel(path);
    return true;
}

}  // namespace lockstep
