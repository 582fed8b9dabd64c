// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window_actions.h"

#include <QCheckBox>
#include <QMainWindow>
#include <QMenu>
#include <QMenuBar>
#include <QToolBar>
#include <QToolButton>

#include "ui/chat/chat_page.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

QAction* make(QMainWindow* window, const char* name, const char* icon, const QString& text,
              const QKeySequence& shortcut) {
    auto* action = new QAction(themedIcon(QLatin1String(icon)), text, window);
    action->setObjectName(QLatin1String(name));
    action->setShortcut(shortcut);
    window->addAction(action);
    return action;
}

void addSpacer(QToolBar* bar) {
    auto* spacer = new QWidget;
    spacer->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    bar->addWidget(spacer);
}

// A switch that shows a checkable action, and is it.
QCheckBox* switchFor(QAction* action) {
    auto* box = new QCheckBox(QString(action->text()).remove(QLatin1Char('&')));
    box->setProperty("switch", true);
    box->setLayoutDirection(Qt::RightToLeft);  // its text before it
    box->setToolTip(action->toolTip());
    box->setChecked(action->isChecked());
    QObject::connect(action, &QAction::toggled, box, &QCheckBox::setChecked);
    QObject::connect(box, &QCheckBox::clicked, action, &QAction::trigger);
    return box;
}

QToolButton* addButton(QToolBar* bar, QAction* action, Qt::ToolButtonStyle style) {
    bar->addAction(action);
    auto* button = qobject_cast<QToolButton*>(bar->widgetForAction(action));
    button->setFocusPolicy(Qt::StrongFocus);
    button->setToolButtonStyle(style);
    QString name = action->text();
    button->setAccessibleName(name.remove(QLatin1Char('&')).remove(QChar(0x2026)));
    return button;
}

}  // namespace

WindowActions::WindowActions(QMainWindow* window, const ChatPage& chat)
    : new_chat(chat.newChatAction()),
      export_chat(chat.exportAction()),
      copy_answer(chat.copyAnswerAction()),
      open_file(make(window, "open_file", "open-file", QObject::tr("&Open a model file…"),
                     QKeySequence::Open)),
      open_folder(make(window, "open_folder", "open-folder", QObject::tr("Open a model &folder…"),
                       Qt::CTRL | Qt::SHIFT | Qt::Key_O)),
      choose_model(make(window, "choose_model", "model", QObject::tr("Choose a &model"),
                        Qt::CTRL | Qt::Key_M)),
      load_kernel(make(window, "load_kernel", "layers", QObject::tr("Load a &kernel…"),
                       Qt::CTRL | Qt::Key_L)),
      settings(make(window, "settings", "settings", QObject::tr("&Settings…"),
                    Qt::CTRL | Qt::Key_Comma)),
      restart(make(window, "restart", "regenerate", QObject::tr("&Restart Lockstep"), {})),
      quit(make(window, "quit", "close", QObject::tr("&Quit"), Qt::CTRL | Qt::Key_Q)),
      conversations(make(window, "conversations", "sidebar", QObject::tr("&Conversations"),
                         Qt::CTRL | Qt::Key_B)),
      inspector(
          make(window, "inspector", "inspector", QObject::tr("&Inspector"), Qt::CTRL | Qt::Key_I)),
      stop(
          make(window, "stop", "stop", QObject::tr("&Stop the answer"), Qt::CTRL | Qt::Key_Period)),
      fused(make(window, "fused", "layers", QObject::tr("&Fused kernels"),
                 Qt::CTRL | Qt::SHIFT | Qt::Key_K)),
      check_again(
          make(window, "check_again", "regenerate", QObject::tr("&Check the kernels again"), {})),
      help(make(window, "help", "info", QObject::tr("&Shortcuts and about"), Qt::Key_F1)) {
    conversations->setCheckable(true);
    conversations->setToolTip(QObject::tr("Show the conversations (Ctrl+B)"));
    inspector->setCheckable(true);
    inspector->setToolTip(QObject::tr("Where two paths part, and why (Ctrl+I)"));
    fused->setCheckable(true);
    fused->setToolTip(
        QObject::tr("Fused kernels: off computes by the reference, from the next "
                    "token on (Ctrl+Shift+K)"));
    stop->setEnabled(false);
    restart->setVisible(false);  // until a GPU needs it
    settings->setToolTip(QObject::tr("Settings (Ctrl+,)"));
    quit->setMenuRole(QAction::QuitRole);
    settings->setMenuRole(QAction::PreferencesRole);
}

void WindowActions::fillMenus(QMenuBar* bar) const {
    QMenu* file = bar->addMenu(QObject::tr("&File"));
    file->addActions({new_chat, choose_model, open_file, open_folder});
    file->addActions({load_kernel});
    file->addSeparator();
    file->addActions({export_chat});
    file->addSeparator();
    file->addActions({settings, restart, quit});
    QMenu* view = bar->addMenu(QObject::tr("&View"));
    view->addActions({conversations, inspector});
    QMenu* answer = bar->addMenu(QObject::tr("&Answer"));
    answer->addActions({stop, copy_answer});
    answer->addSeparator();
    answer->addActions({fused, check_again});
    QMenu* help_menu = bar->addMenu(QObject::tr("&Help"));
    help_menu->addActions({help});
}

void WindowActions::fillToolBar(QToolBar* bar, QWidget* model_picker) const {
    addButton(bar, conversations, Qt::ToolButtonIconOnly);
    bar->addWidget(model_picker);
    addSpacer(bar);
    bar->addWidget(switchFor(fused));
    addButton(bar, inspector, Qt::ToolButtonIconOnly);
    addButton(bar, settings, Qt::ToolButtonIconOnly);
}

QList<QAction*> WindowActions::all() const {
    return {new_chat,    choose_model,  open_file, open_folder, load_kernel,
            export_chat, conversations, inspector, stop,        copy_answer,
            fused,       settings,      help,      quit};
}

}  // namespace lockstep
