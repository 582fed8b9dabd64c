// SPDX-License-Identifier: GPL-3.0-or-later
// Pieces of SVG. Coordinates are in the units of the drawing's viewBox; `classes` are of the page's
// style sheet, and ours, not anybody's text.
#pragma once

#include <cstdio>
#include <string>

#include "core/inspect/markup.h"

namespace lockstep {

inline std::string svg_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

inline std::string svg_line(const std::string& classes, double x1, double y1, double x2,
                            double y2) {
    return "<line class=\"" + classes + "\" x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) +
           "\" x2=\"" + svg_number(x2) + "\" y2=\"" + svg_number(y2) + "\"/>\n";
}

// "middle" or "end" among the classes aligns it.
inline std::string svg_text(const std::string& classes, double x, double y,
                            const std::string& text) {
    return "<text class=\"" + classes + "\" x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) +
           "\">" + escape_html(text) + "</text>\n";
}

// title: shown when pointed at; may be empty.
inline std::string svg_box(const std::string& classes, double x, double y, double width,
                           double height, const std::string& title) {
    const std::string box = "<rect class=\"" + classes + "\" x=\"" + svg_number(x) + "\" y=\"" +
                            svg_number(y) + "\" width=\"" + svg_number(width) + "\" height=\"" +
                            svg_number(height) + "\"";
    if (title.empty()) return box + "/>\n";
    return box + "><title>" + escape_html(title) + "</title></rect>\n";
}

}  // namespace lockstep
