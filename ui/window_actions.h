// SPDX-License-Identifier: GPL-3.0-or-later
// The window's commands: made once, shown in the menus and the tool bar.
#pragma once

#include <QAction>
#include <QObject>

class QMainWindow;
class QMenuBar;
class QToolBar;

namespace lockstep {

class ChatPage;

struct WindowActions {
    explicit WindowActions(QMainWindow* window, const ChatPage& chat);

    void fillMenus(QMenuBar* bar) const;
    void fillToolBar(QToolBar* bar, QWidget* model_picker) const;
    QList<QAction*> all() const;

    QAction *new_chat, *export_chat, *copy_answer;  // the chat page's own
    QAction *open_file, *open_folder, *choose_model, *load_kernel, *settings, *restart, *quit;
    QAction *conversations, *inspector, *stop, *fused, *check_again, *help;
};

}  // namespace lockstep
