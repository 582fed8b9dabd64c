// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window.h"

#include <QApplication>
#include <QProcess>
#include <cstdlib>
#include <string_view>

#include "app/common.h"
#include "core/catalogue/catalogue.h"
#include "ui/main_window.h"
#include "ui/theme/icons.h"

namespace lockstep::app {
namespace {

// The new one opens what this one has saved. A GPU that does not answer would keep this process
// from an orderly end.
bool start_again(const QStringList& arguments) {
    if (!QProcess::startDetached(QCoreApplication::applicationFilePath(), arguments)) return false;
    std::_Exit(0);
}

}  // namespace

Options window_options() {
    return {"",
            "lockstep [MODEL] [options]\nOpens the window, with MODEL (a GGUF file or a Hugging "
            "Face folder) or the last one.",
            {{"device", "D",
              "auto (default: a GPU where one can be used), cpu, cuda or cuda:N, instead of\nthe "
              "settings' for this time"},
             {"conversation", "ID", "the conversation to open, by its number; default: the last"}}};
}

Result<WindowArguments> window_arguments(int argc, char** argv, Options& options) {
    WindowArguments made;
    int first = 1;
    if (argc > 1 && !std::string_view(argv[1]).starts_with("-")) {
        made.model = argv[1];
        first = 2;
    }
    LOCKSTEP_TRY(options.parse(argc - first, argv + first));
    made.device = options.text("device");
    if (!made.device.empty() && made.device != "auto") LOCKSTEP_TRY(device_option(options));
    LOCKSTEP_ASSIGN(made.conversation, options.integer("conversation", 0, 0, INT64_MAX));
    return made;
}

int run_window(int argc, char** argv, const WindowArguments& arguments) {
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("lockstep"));
    QApplication::setApplicationDisplayName(QStringLiteral("Lockstep"));
    QApplication::setApplicationVersion(QStringLiteral(LOCKSTEP_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("org.lockstep.Lockstep"));
    WindowOptions options;
    options.download.program = QString::fromStdString(data_file("fetch_model").string());
    options.download.catalogue = QString::fromStdString(data_file("models.json").string());
    options.model = QString::fromStdString(arguments.model);
    options.device = QString::fromStdString(arguments.device);
    options.conversation = arguments.conversation;
    options.restart = start_again;
    MainWindow window(options);
    QApplication::setWindowIcon(applicationIcon());
    window.show();
    const int status = QApplication::exec();
    // A disk or a GPU that does not answer can hold the engine's thread: then nothing is torn down
    // under it.
    if (!window.shutDown()) std::_Exit(status);
    return status;
}

}  // namespace lockstep::app
