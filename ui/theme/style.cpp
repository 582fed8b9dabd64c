// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/style.h"

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QPushButton>
#include <QStyleOption>
#include <algorithm>

#include "ui/theme/colors.h"
#include "ui/theme/style_parts.h"

namespace lockstep {
namespace {

constexpr int text_inset = 4;  // of a field's text from its outline

bool isSwitch(const QWidget* widget) {
    return widget && widget->property("switch").toBool();
}

bool isCard(const QWidget* widget) {
    return widget && widget->property("card").toBool();
}

bool isPrimary(const QStyleOption* option, const QWidget* widget) {
    const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option);
    const bool is_default = button && button->features.testFlag(QStyleOptionButton::DefaultButton);
    return is_default || (widget && widget->property("primary").toBool());
}

void line(QPainter* painter, const QPalette& palette, QPoint from, QPoint to) {
    painter->save();
    painter->setPen(themeColors(palette).separator);
    painter->drawLine(from, to);
    painter->restore();
}

void drawComboBox(const Style& style, const QStyleOptionComboBox& option, QPainter* painter,
                  const QWidget* widget) {
    const bool hovered = option.state.testFlag(QStyle::State_MouseOver) && !option.editable;
    const QColor fill = option.editable ? option.palette.color(QPalette::Base)
                        : hovered       ? themeColors(option.palette).hover
                                        : option.palette.color(QPalette::Button);
    parts::field(painter, option, fill);
    const QRect arrow =
        style.subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxArrow, widget);
    parts::chevron(painter, arrow, option.palette.color(QPalette::ButtonText));
}

void drawSpinBox(const Style& style, const QStyleOptionSpinBox& option, QPainter* painter,
                 const QWidget* widget) {
    parts::field(painter, option, option.palette.color(QPalette::Base));
    for (const auto part : {QStyle::SC_SpinBoxUp, QStyle::SC_SpinBoxDown}) {
        if (!option.subControls.testFlag(part)) continue;
        const bool up = part == QStyle::SC_SpinBoxUp;
        const bool can = option.stepEnabled.testFlag(up ? QAbstractSpinBox::StepUpEnabled
                                                        : QAbstractSpinBox::StepDownEnabled);
        const QRect rect = style.subControlRect(QStyle::CC_SpinBox, &option, part, widget);
        parts::chevron(
            painter, rect.adjusted(0, up ? 2 : -1, 0, up ? 1 : -2),
            option.palette.color(can ? QPalette::Active : QPalette::Disabled, QPalette::ButtonText),
            up);
    }
}

void drawMenuBarItem(const Style& style, const QStyleOptionMenuItem& item, QPainter* painter) {
    painter->fillRect(item.rect, item.palette.window());
    const bool chosen = item.state.testFlag(QStyle::State_Selected);
    if (chosen)
        parts::roundedPanel(painter, item.rect.adjusted(1, 1, -1, -1),
                            themeColors(item.palette).pressed, {}, 1, 4);
    style.drawItemText(painter, item.rect,
                       Qt::AlignCenter | Qt::TextShowMnemonic | Qt::TextSingleLine, item.palette,
                       item.state.testFlag(QStyle::State_Enabled), item.text, QPalette::ButtonText);
}

// A button that opens a menu: the chevron stands at its right edge.
void drawMenuButton(const Style& style, const QStyleOptionToolButton& option, QPainter* painter,
                    const QWidget* widget) {
    QStyleOptionToolButton plain = option;
    plain.features &= ~QStyleOptionToolButton::HasMenu;
    style.QProxyStyle::drawComplexControl(QStyle::CC_ToolButton, &plain, painter, widget);
    const int extent = option.fontMetrics.height();
    const QRect arrow(option.rect.right() - extent - 2, option.rect.top(), extent,
                      option.rect.height());
    parts::chevron(painter, arrow, option.palette.color(QPalette::ButtonText));
}

// Of a scroll bar without arrows: where the handle is.
QRect scrollBarHandleRect(const QStyleOptionSlider& option) {
    const bool horizontal = option.orientation == Qt::Horizontal;
    const int length = horizontal ? option.rect.width() : option.rect.height();
    const qint64 range = qint64(option.maximum) - option.minimum;
    int handle = length;
    if (range > 0)
        handle =
            int(qint64(option.pageStep) * length / std::max<qint64>(range + option.pageStep, 1));
    handle = std::clamp(handle, std::min(28, length), length);
    const int start = QStyle::sliderPositionFromValue(
        option.minimum, option.maximum, option.sliderPosition, length - handle, option.upsideDown);
    return horizontal
               ? QRect(option.rect.left() + start, option.rect.top(), handle, option.rect.height())
               : QRect(option.rect.left(), option.rect.top() + start, option.rect.width(), handle);
}

}  // namespace

Style::Style() : QProxyStyle(QStringLiteral("Fusion")) {}

void Style::drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                          const QWidget* widget) const {
    const QPalette& palette = option->palette;
    switch (element) {
        case PE_PanelButtonCommand:
            return parts::pushButton(painter, *option, isPrimary(option, widget));
        case PE_PanelButtonTool:
            return parts::toolButton(painter, *option);
        case PE_FrameFocusRect:
            if (!qobject_cast<const QPushButton*>(widget))
                parts::focusRing(painter, option->rect, palette, 4);
            return;
        case PE_PanelLineEdit: {
            const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
            if (frame && frame->lineWidth > 0)
                parts::field(painter, *option, palette.color(QPalette::Base));
            return;
        }
        case PE_FrameLineEdit:
            return;
        case PE_Frame:
            return parts::field(painter, *option,
                                isCard(widget) ? palette.color(QPalette::Base) : QColor());
        case PE_IndicatorCheckBox:
            return isSwitch(widget) ? parts::switchBox(painter, *option)
                                    : parts::checkBox(painter, *option);
        case PE_IndicatorRadioButton:
            return parts::radioButton(painter, *option);
        case PE_FrameStatusBarItem:
            return;
        case PE_PanelStatusBar:
            return line(painter, palette, option->rect.topLeft(), option->rect.topRight());
        default:
            QProxyStyle::drawPrimitive(element, option, painter, widget);
    }
}

void Style::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                        const QWidget* widget) const {
    switch (element) {
        case CE_ProgressBar:
            if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option))
                parts::progressBar(painter, *bar);
            return;
        case CE_ToolBar:
            painter->fillRect(option->rect, option->palette.window());
            return line(painter, option->palette, option->rect.bottomLeft(),
                        option->rect.bottomRight());
        case CE_MenuBarEmptyArea:
            painter->fillRect(option->rect, option->palette.window());
            return;
        case CE_PushButtonLabel: {
            const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option);
            if (!button || !isPrimary(option, widget)) break;
            QStyleOptionButton primary = *button;
            if (option->state.testFlag(State_Enabled))
                primary.palette.setColor(QPalette::ButtonText,
                                         themeColors(option->palette).on_accent);
            return QProxyStyle::drawControl(element, &primary, painter, widget);
        }
        case CE_MenuBarItem: {
            const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option);
            if (item) drawMenuBarItem(*this, *item, painter);
            return;
        }
        case CE_ShapedFrame: {
            const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
            if (!frame || frame->frameShape != QFrame::HLine) break;
            const int y = option->rect.center().y();
            return line(painter, option->palette, {option->rect.left(), y},
                        {option->rect.right(), y});
        }
        case CE_Splitter:
            painter->fillRect(option->rect, themeColors(option->palette).separator);
            return;
        default:
            break;
    }
    QProxyStyle::drawControl(element, option, painter, widget);
}

void Style::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                               QPainter* painter, const QWidget* widget) const {
    if (control == CC_ComboBox)
        if (const auto* combo = qstyleoption_cast<const QStyleOptionComboBox*>(option))
            return drawComboBox(*this, *combo, painter, widget);
    if (control == CC_SpinBox)
        if (const auto* spin = qstyleoption_cast<const QStyleOptionSpinBox*>(option))
            return drawSpinBox(*this, *spin, painter, widget);
    if (control == CC_ToolButton)
        if (const auto* button = qstyleoption_cast<const QStyleOptionToolButton*>(option))
            if (button->features.testFlag(QStyleOptionToolButton::HasMenu))
                return drawMenuButton(*this, *button, painter, widget);
    if (control == CC_ScrollBar)
        if (const auto* slider = qstyleoption_cast<const QStyleOptionSlider*>(option)) {
            if (slider->maximum > slider->minimum)
                parts::scrollBarHandle(painter, *slider, scrollBarHandleRect(*slider));
            return;
        }
    QProxyStyle::drawComplexControl(control, option, painter, widget);
}

QRect Style::subControlRect(ComplexControl control, const QStyleOptionComplex* option,
                            SubControl part, const QWidget* widget) const {
    const auto* slider = qstyleoption_cast<const QStyleOptionSlider*>(option);
    if (control != CC_ScrollBar || !slider) {
        const QRect rect = QProxyStyle::subControlRect(control, option, part, widget);
        const bool text = control == CC_ComboBox && part == SC_ComboBoxEditField;
        return text ? rect.adjusted(text_inset, 0, 0, 0) : rect;
    }
    const QRect handle = scrollBarHandleRect(*slider);
    const bool horizontal = slider->orientation == Qt::Horizontal;
    QRect rect = option->rect;
    switch (part) {
        case SC_ScrollBarSlider:
            return handle;
        case SC_ScrollBarGroove:
            return rect;
        case SC_ScrollBarSubPage:
            horizontal ? rect.setRight(handle.left() - 1) : rect.setBottom(handle.top() - 1);
            return rect;
        case SC_ScrollBarAddPage:
            horizontal ? rect.setLeft(handle.right() + 1) : rect.setTop(handle.bottom() + 1);
            return rect;
        default:
            return {};
    }
}

QRect Style::subElementRect(SubElement element, const QStyleOption* option,
                            const QWidget* widget) const {
    const QRect rect = QProxyStyle::subElementRect(element, option, widget);
    return element == SE_LineEditContents ? rect.adjusted(text_inset, 0, -text_inset, 0) : rect;
}

int Style::pixelMetric(PixelMetric metric, const QStyleOption* option,
                       const QWidget* widget) const {
    switch (metric) {
        case PM_ScrollBarExtent:
            return 12;
        case PM_ScrollBarSliderMin:
            return 28;
        case PM_ToolBarItemSpacing:
        case PM_ToolBarItemMargin:
        case PM_ToolBarFrameWidth:
            return 4;
        case PM_SplitterWidth:
            return 1;
        case PM_ButtonShiftHorizontal:
        case PM_ButtonShiftVertical:
            return 0;
        case PM_IndicatorWidth:
            if (isSwitch(widget)) return QProxyStyle::pixelMetric(metric, option, widget) * 5 / 2;
            break;
        case PM_IndicatorHeight:
            if (isSwitch(widget)) return QProxyStyle::pixelMetric(metric, option, widget) * 10 / 7;
            break;
        default:
            break;
    }
    return QProxyStyle::pixelMetric(metric, option, widget);
}

int Style::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                     QStyleHintReturn* data) const {
    switch (hint) {
        case SH_EtchDisabledText:
        case SH_DialogButtonBox_ButtonsHaveIcons:
        case SH_ComboBox_Popup:
        case SH_ScrollBar_Transient:
            return 0;
        case SH_UnderlineShortcut:
            return 1;
        default:
            return QProxyStyle::styleHint(hint, option, widget, data);
    }
}

QSize Style::sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& contents,
                              const QWidget* widget) const {
    QSize size = QProxyStyle::sizeFromContents(type, option, contents, widget);
    const int line = option ? option->fontMetrics.height() : 16;
    switch (type) {
        case CT_PushButton:
            return {size.width() + line / 2, std::max(size.height(), line * 2)};
        case CT_LineEdit:
        case CT_ComboBox:
        case CT_SpinBox:
            return {size.width() + 2 * text_inset, std::max(size.height(), line * 7 / 4)};
        default:
            return size;
    }
}

}  // namespace lockstep
