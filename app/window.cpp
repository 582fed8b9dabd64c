// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window.h"

#include <QApplication>
#include <cstdlib>

#include "core/catalogue/catalogue.h"
#include "ui/main_window.h"
#include "ui/theme/icons.h"

namespace lockstep {

int run_window(int argc, char** argv, const std::string& model) {
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("lockstep"));
    QApplication::setApplicationDisplayName(QStringLiteral("Lockstep"));
    QApplication::setApplicationVersion(QStringLiteral(LOCKSTEP_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("org.lockstep.Lockstep"));
    WindowOptions options;
    options.download.program = QString::fromStdString(data_file("fetch_model").string());
    options.download.catalogue = QString::fromStdString(data_file("models.json").string());
    options.model = QString::fromStdString(model);
    MainWindow window(options);
    QApplication::setWindowIcon(applicationIcon());
    window.show();
    const int status = QApplication::exec();
    // A disk that does not answer can hold the engine's thread: then nothing is torn down under it.
    if (!window.shutDown()) std::_Exit(status);
    return status;
}

}  // namespace lockstep
