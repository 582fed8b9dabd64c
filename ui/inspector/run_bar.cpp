// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/run_bar.h"

#include <QComboBox>
#include <QEvent>
#include <QFileDialog>
#include <QFrame>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPainter>
#include <QProgressBar>
#include <QPushButton>
#include <QSpinBox>
#include <QToolButton>

#include "ui/inspector/fault_menu.h"
#include "ui/inspector/figures.h"
#include "ui/inspector/flow_layout.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"
#include "ui/theme/progress.h"

namespace lockstep {
namespace {

constexpr int most_decode_steps = 256;

// In the warning's colours: what follows is wrong on purpose.
class Banner : public QFrame {
  public:
    Banner() { dress(); }
    QLabel* icon() const { return icon_; }

  protected:
    void changeEvent(QEvent* event) override {
        QFrame::changeEvent(event);
        if (event->type() == QEvent::PaletteChange) dress();
    }
    void paintEvent(QPaintEvent*) override {
        const ThemeColors& colors = themeColors(palette());
        QPainter painter(this);
        painter.fillRect(rect(), colors.warning_background);
        painter.fillRect(0, 0, 3, height(), colors.warning);
    }

  private:
    void dress() {
        icon_->setPixmap(iconPixmap(QStringLiteral("warning"), fontMetrics().height() * 5 / 4,
                                    devicePixelRatioF(), themeColors(palette()).warning));
    }

    QLabel* icon_ = new QLabel(this);
};

QLabel* labelFor(const QString& text, QWidget* control) {
    auto* label = mutedLabel(text);
    label->setWordWrap(false);
    label->setBuddy(control);
    return label;
}

QToolButton* menuButton(const QString& text, const QString& icon, QMenu* menu) {
    auto* button = new QToolButton;
    button->setText(text);
    button->setIcon(themedIcon(icon));
    button->setToolButtonStyle(text.isEmpty() ? Qt::ToolButtonIconOnly
                                              : Qt::ToolButtonTextBesideIcon);
    button->setMenu(menu);
    button->setPopupMode(QToolButton::InstantPopup);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

}  // namespace

bool RunChoice::operator==(const RunChoice& other) const {
    return prompt == other.prompt && (prompt != PromptKind::text || text == other.text) &&
           candidate.text == other.candidate.text && candidate.fault == other.candidate.fault &&
           reference == other.reference && decode_steps == other.decode_steps;
}

RunBar::RunBar(QWidget* parent)
    : QWidget(parent),
      prompt_(new QComboBox),
      candidate_(new QComboBox),
      reference_(new QComboBox),
      text_(new QLineEdit),
      decode_(new QSpinBox),
      layer_(new QSpinBox),
      run_(new QPushButton(tr("&Run"))),
      cancel_(new QPushButton(tr("&Cancel"))),
      remove_(new QPushButton(tr("Remo&ve"))),
      bar_(new QProgressBar),
      progress_(mutedLabel({})),
      fault_text_(new QLabel),
      layer_label_(new QLabel(tr("in la&yer"))),
      faults_(new FaultMenu(this)) {
    setObjectName(QStringLiteral("run_bar"));
    makeParts();
    banner_ = makeFaultBanner();
    const int unit = fontMetrics().height();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit / 2, unit / 3, unit / 2, unit / 3);
    column->setSpacing(unit / 3);
    column->addLayout(layOutControls());
    column->addWidget(banner_);
    connect(run_, &QPushButton::clicked, this, &RunBar::runRequested);
    connect(cancel_, &QPushButton::clicked, this, &RunBar::cancelRequested);
    connect(remove_, &QPushButton::clicked, this, &RunBar::removeFault);
    connect(text_, &QLineEdit::returnPressed, this, [this] {
        if (run_->isEnabled() && !running_) Q_EMIT runRequested();
    });
    connect(text_, &QLineEdit::textChanged, this, &RunBar::refresh);
    connect(prompt_, &QComboBox::currentIndexChanged, this, &RunBar::refresh);
    connect(layer_, &QSpinBox::valueChanged, this, [this](int layer) {
        if (fault_) fault_->layer = layer;
        Q_EMIT changed();
    });
    for (const QComboBox* box : {candidate_, reference_})
        connect(box, &QComboBox::currentIndexChanged, this, &RunBar::changed);
    connect(decode_, &QSpinBox::valueChanged, this, &RunBar::changed);
    connect(faults_, &FaultMenu::chosen, this, &RunBar::chooseFault);
    refresh();
}

void RunBar::makeParts() {
    prompt_->addItem(tr("“Hello”"), int(PromptKind::hello));
    prompt_->addItem(tr("This conversation"), int(PromptKind::conversation));
    prompt_->addItem(tr("A text"), int(PromptKind::text));
    prompt_->setAccessibleName(tr("Prompt"));
    text_->setPlaceholderText(tr("The raw text to compare on"));
    text_->setAccessibleName(tr("Prompt text"));
    for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
        const QString name = QString::fromStdString(path.name);
        if (path.name != "truth") candidate_->insertItem(0, name, name);
        if (path.name == "reference" || path.name == "truth") reference_->insertItem(0, name);
    }
    candidate_->setCurrentIndex(0);
    reference_->setCurrentText(QStringLiteral("reference"));
    candidate_->setAccessibleName(tr("Candidate"));
    candidate_->setToolTip(tr("The path whose kernels are in question"));
    reference_->setAccessibleName(tr("Reference"));
    reference_->setToolTip(tr("The path that it is held against"));
    for (QComboBox* box : {prompt_, candidate_, reference_}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(7);
    }
    decode_->setRange(0, most_decode_steps);
    decode_->setAccessibleName(tr("Decode steps"));
    decode_->setToolTip(tr("Steps of one token after the prompt, with the reference's tokens"));
    auto* more = new QMenu(this);
    more->addAction(tr("&Load kernel…"), this, &RunBar::loadKernel);
    more->addAction(tr("Open a &trace…"), this, &RunBar::openTrace);
    load_ = menuButton({}, QStringLiteral("open-file"), more);
    load_->setAccessibleName(tr("Another candidate"));
    load_->setToolTip(tr("Your own kernel (.so), or a trace that was captured elsewhere"));
    plant_ = menuButton(tr("Plant a &fault…"), QStringLiteral("warning"), faults_);
    plant_->setAccessibleName(tr("Plant a fault"));
    plant_->setToolTip(tr("Makes the candidate wrong on purpose, to see what that looks like"));
    run_->setProperty("primary", true);
    for (QPushButton* button : {run_, cancel_, remove_}) button->setAutoDefault(false);
    cancel_->setAccessibleName(tr("Cancel the comparison"));
    showFraction(bar_, 0);
    bar_->setTextVisible(false);
    bar_->setAccessibleName(tr("Progress of the comparison"));
    progress_->setWordWrap(false);
    progress_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
}

// A few controls that stay together when the bar's rows are broken.
QWidget* RunBar::group(std::initializer_list<QWidget*> controls) {
    auto* widget = new QWidget;
    auto* row = new QHBoxLayout(widget);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(fontMetrics().height() / 3);
    for (QWidget* control : controls) row->addWidget(control);
    return widget;
}

// Beside each other where there is room: every row that the bar does not take is the plot's.
QLayout* RunBar::layOutControls() {
    const int unit = fontMetrics().height();
    auto* flow = new FlowLayout;
    flow->setSpacing(unit / 2);
    flow->addWidget(group({labelFor(tr("&Prompt"), prompt_), prompt_}));
    flow->addWidget(group({labelFor(tr("Can&didate"), candidate_), candidate_, load_}));
    flow->addWidget(group({labelFor(tr("a&gainst"), reference_), reference_}));
    flow->addWidget(group({labelFor(tr("D&ecode steps"), decode_), decode_}));
    flow->addWidget(plant_);
    flow->addStretch();
    flow->addWidget(cancel_);
    flow->addWidget(run_);
    auto* column = new QVBoxLayout;
    column->setSpacing(unit / 4);
    column->addLayout(flow);
    for (QWidget* row : std::initializer_list<QWidget*>{text_, bar_, progress_})
        column->addWidget(row);
    return column;
}

QFrame* RunBar::makeFaultBanner() {
    const int unit = fontMetrics().height();
    auto* banner = new Banner;
    banner->setObjectName(QStringLiteral("planted_fault"));
    fault_text_->setWordWrap(true);
    fault_text_->setTextFormat(Qt::PlainText);
    layer_label_->setBuddy(layer_);
    layer_->setAccessibleName(tr("Layer of the planted fault"));
    remove_->setAccessibleName(tr("Remove the planted fault"));
    auto* row = new QHBoxLayout(banner);
    row->setContentsMargins(unit * 3 / 4, unit / 3, unit / 2, unit / 3);
    row->setSpacing(unit / 2);
    row->addWidget(banner->icon());
    row->addWidget(fault_text_, 1);
    row->addWidget(layer_label_);
    row->addWidget(layer_);
    row->addWidget(remove_);
    return banner;
}

RunChoice RunBar::choice() const {
    RunChoice wanted;
    wanted.prompt = static_cast<PromptKind>(prompt_->currentData().toInt());
    wanted.text = text_->text();
    wanted.candidate.text = candidate_->currentData().toString().toStdString();
    wanted.candidate.fault = fault_;
    wanted.reference = reference_->currentText();
    wanted.decode_steps = decode_->value();
    return wanted;
}

void RunBar::setModel(const ModelConfig* config) {
    config_ = config ? std::optional(*config) : std::nullopt;
    if (config) faults_->setModel(*config);
    removeFault();  // its layer was another model's
}

void RunBar::setHasConversation(bool has) {
    const int index = prompt_->findData(int(PromptKind::conversation));
    prompt_->setItemData(index, has ? QVariant() : QVariant(0), Qt::UserRole - 1);  // greyed
    if (!has && prompt_->currentIndex() == index) prompt_->setCurrentIndex(0);
}

void RunBar::setRunning(bool running) {
    if (running && !running_) showProgress({}, 0);
    const bool had_focus = run_->hasFocus() || cancel_->hasFocus();
    running_ = running;
    refresh();
    if (had_focus) (running ? cancel_ : run_)->setFocus();
}

void RunBar::showProgress(const QString& what, double fraction) {
    showFraction(bar_, fraction);
    progress_->setText(what);
}

void RunBar::setCandidate(const QString& text) {
    addCandidate(text);
    candidate_->setCurrentIndex(candidate_->findData(text));
}

void RunBar::addCandidate(const QString& text) {
    if (candidate_->findData(text) >= 0) return;
    candidate_->addItem(QFileInfo(text).fileName(), text);
    candidate_->setItemData(candidate_->count() - 1, text, Qt::ToolTipRole);
}

void RunBar::loadKernel() {
    const QString file = QFileDialog::getOpenFileName(
        this, tr("Load a kernel"), {},
        tr("Shared objects (*.so)") + QStringLiteral(";;") + tr("All files (*)"));
    if (file.isEmpty()) return;
    setCandidate(file);
    Q_EMIT kernelLoaded(file);
}

void RunBar::openTrace() {
    const QString file = QFileDialog::getOpenFileName(
        this, tr("Open a trace"), {},
        tr("Traces (*.safetensors)") + QStringLiteral(";;") + tr("All files (*)"));
    if (!file.isEmpty()) setCandidate(QStringLiteral("trace:") + file);
}

void RunBar::chooseFault(const QString& name) {
    const FaultInfo* info = find_fault(name.toStdString());
    if (!info || !config_) return;
    const int layers = int(config_->num_hidden_layers);
    FaultSpec fault{name.toStdString(), layers / 2};
    if (info->step == StepId::embed) fault.layer = -1;
    if (info->step == StepId::logits) fault.layer = layers;
    plant(fault);
}

void RunBar::plant(const FaultSpec& fault) {
    fault_ = fault;
    showFault();
}

void RunBar::removeFault() {
    fault_.reset();
    refresh();
    if (remove_->hasFocus()) plant_->setFocus();
}

void RunBar::showFault() {
    const FaultInfo* info = find_fault(fault_->name);
    const bool in_layer = info && info->step != StepId::embed && info->step != StepId::logits;
    const int layer = fault_->layer;
    if (in_layer && config_) {
        layer_->setRange(0, int(config_->num_hidden_layers) - 1);
        layer_->setValue(layer);
    }
    layer_->setVisible(in_layer);
    layer_label_->setVisible(in_layer);
    fault_text_->setText(tr("Planted on purpose: %1").arg(QString::fromStdString(fault_->name)));
    fault_text_->setToolTip(info ? toText(info->summary) : QString());
    refresh();
}

void RunBar::refresh() {
    const auto kind = static_cast<PromptKind>(prompt_->currentData().toInt());
    text_->setVisible(kind == PromptKind::text);
    const bool has_prompt = kind != PromptKind::text || !text_->text().isEmpty();
    run_->setEnabled(config_.has_value() && has_prompt);
    run_->setVisible(!running_);
    cancel_->setVisible(running_);
    bar_->setVisible(running_);
    progress_->setVisible(running_);
    plant_->setEnabled(config_.has_value() && !running_);
    banner_->setVisible(fault_.has_value());
    Q_EMIT changed();
}

}  // namespace lockstep
