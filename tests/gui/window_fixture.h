// SPDX-License-Identifier: GPL-3.0-or-later
// The real window in a folder of its own: settings, models and all.
#pragma once

#include <QPlainTextEdit>
#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "core/catalogue/catalogue.h"
#include "tests/support/models.h"
#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"

namespace lockstep::test {

inline QString defaultModel() {
    return QString::fromStdString(default_model().string());
}

// A visible widget of that accessible name; null where there is none.
template <class Widget>
Widget* named(const QWidget* parent, const QString& name) {
    for (Widget* widget : parent->findChildren<Widget*>())
        if (widget->accessibleName() == name && widget->isVisible()) return widget;
    return nullptr;
}

template <class Button>
Button* labelled(const QWidget* parent, const QString& text) {
    for (Button* button : parent->findChildren<Button*>())
        if (button->text().remove(QLatin1Char('&')) == text && button->isVisible()) return button;
    return nullptr;
}

class WindowFixture {
  public:
    WindowFixture() {
        Settings settings;
        settings.models_folder = models();
        settings.model_defaults = false;
        settings.temperature = 0;  // the same answer every time
        settings.repetition_penalty = 1;
        settings.max_tokens = 48;
        settings.theme = ThemeChoice::light;
        SettingsStore(settingsFile()).set(settings);
    }

    QString settingsFile() const { return folder_.filePath(QStringLiteral("settings.ini")); }
    QString models() const { return folder_.filePath(QStringLiteral("models")); }
    QString path(const char* name) const { return folder_.filePath(QLatin1String(name)); }
    QString write(const char* name, const QByteArray& content) const {
        QFile file(path(name));
        if (file.open(QIODevice::WriteOnly)) file.write(content);
        return file.fileName();
    }

    MainWindow& open(const QString& model = {}) {
        WindowOptions options;
        options.settings_file = settingsFile();
        options.download.program = QString::fromStdString(data_file("fetch_model").string());
        options.download.catalogue = catalogue.isEmpty()
                                         ? QString::fromStdString(data_file("models.json").string())
                                         : catalogue;
        options.conversations_file = path("conversations.sqlite");
        options.model = model;
        options.planted_fault = planted_fault;
        options.isolation = isolation;
        options.devices = devices;
        options.device = device;
        options.conversation = conversation;
        options.restart = restart;
        window_ = std::make_unique<MainWindow>(options);
        window_->resize(1000, 720);
        window_->show();
        return *window_;
    }
    void close() {
        window_->close();
        window_.reset();
    }
    void change(const std::function<void(Settings&)>& change) const {
        Settings settings = window_->settings()->values();
        change(settings);
        window_->settings()->set(settings);
    }
    QString lastText() const {
        const ChatModel* model = window_->chat()->model();
        return model->turns() ? model->turn(model->turns() - 1).text : QString();
    }
    ChatTurn lastTurn() const {
        const ChatModel* model = window_->chat()->model();
        return model->turns() ? model->turn(model->turns() - 1) : ChatTurn();
    }

    std::optional<FaultSpec> planted_fault;  // see WindowOptions
    IsolationOptions isolation;
    QString catalogue;  // empty: the program's own
    DeviceFinder devices;
    QString device;
    qint64 conversation = 0;
    std::function<bool(const QStringList&)> restart;

  private:
    QTemporaryDir folder_;
    std::unique_ptr<MainWindow> window_;
};

// Into the composer, and sent.
inline void type(MainWindow& window, const QString& text) {
    auto* field = named<QPlainTextEdit>(&window, QStringLiteral("Message"));
    QVERIFY(field);
    QTest::keyClicks(field, text);
    QTest::keyClick(field, Qt::Key_Return);
}

inline constexpr int load_ms = 120000;  // under a sanitizer
inline constexpr int answer_ms = 120000;

}  // namespace lockstep::test

#define VERIFY_LOADED(window)                                                   \
    QTRY_VERIFY_WITH_TIMEOUT(!(window).isLoading(), ::lockstep::test::load_ms); \
    QVERIFY2(!(window).modelInUse().path.isEmpty(), qPrintable((window).notice()->details()))
#define VERIFY_ANSWERED(window) \
    QTRY_VERIFY_WITH_TIMEOUT(!(window).chat()->isAnswering(), ::lockstep::test::answer_ms)
#define NEED_MODEL()                                             \
    const QString model_path = ::lockstep::test::defaultModel(); \
    if (model_path.isEmpty())                                    \
    QSKIP("the default model is not here: ./lockstep test fetches it into the models folder")
