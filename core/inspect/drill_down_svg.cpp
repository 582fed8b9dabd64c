// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "core/inspect/html_figures.h"
#include "core/inspect/markup.h"
#include "core/inspect/svg.h"

namespace lockstep {
namespace {

// Shades of the style sheet: s0 (next to nothing) to s8 (the largest), four decades below it.
constexpr int shades = 9;
constexpr double decades = 4;

std::string shade(double error, double largest) {
    if (!std::isfinite(error)) return "s-nan";
    if (error <= 0 || largest <= 0) return "";
    const double depth = 1 + std::log10(error / largest) / decades;
    const int level = static_cast<int>(std::lround(depth * (shades - 1)));
    return level < 0 ? "" : "s" + std::to_string(std::min(level, shades - 1));
}

std::string range(int64_t first, int64_t count, int64_t end) {
    const int64_t last = std::min(first + count, end) - 1;
    return std::to_string(first) + (last > first ? "-" + std::to_string(last) : "");
}

std::string channels(const TapLayout& layout, int64_t first, int64_t count) {
    const int64_t width = layout.columns / layout.heads;
    if (layout.heads == 1 || count > width)
        return "channels " + range(first, count, layout.columns);
    return "head " + std::to_string(first / width) + ", channels " +
           range(first % width, count, width);
}

std::string colour_scale(double largest, double x, double y) {
    std::string text = svg_text("tick", x, y + 11, short_figure(largest * std::pow(10, -decades)));
    for (int level = 0; level < shades; ++level)
        text += svg_box("s" + std::to_string(level), x + 60 + level * 14, y, 14, 14, "");
    return text + svg_text("tick", x + 68 + shades * 14, y + 11, short_figure(largest));
}

}  // namespace

std::string error_map_svg(const DrillDown& drill_down) {
    const ErrorMap& map = drill_down.map;
    const TapLayout& layout = drill_down.layout;
    constexpr double left = 64, top = 34, room = 860;
    const double cell_width = std::min(40.0, room / static_cast<double>(map.columns));
    const double cell_height = std::clamp(300.0 / static_cast<double>(map.rows), 8.0, 24.0);
    const double wide = cell_width * static_cast<double>(map.columns);
    const double high = cell_height * static_cast<double>(map.rows);
    std::string text = "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 960 " +
                       svg_number(top + high + 40) +
                       "\" aria-label=\"Where the errors lie: token by channel\">\n";
    text += colour_scale(map.largest, left, 6);
    for (int64_t row = 0; row < map.rows; ++row) {
        for (int64_t column = 0; column < map.columns; ++column) {
            const double error = map.cells[static_cast<size_t>(row * map.columns + column)];
            const std::string classes = shade(error, map.largest);
            if (classes.empty()) continue;
            const std::string where =
                "token " + range(row * map.tokens_per_cell, map.tokens_per_cell, layout.rows) +
                ", " + channels(layout, column * map.channels_per_cell, map.channels_per_cell) +
                ": " + short_figure(error);
            text += svg_box(classes, left + cell_width * static_cast<double>(column),
                            top + cell_height * static_cast<double>(row), cell_width, cell_height,
                            where);
        }
    }
    const double head_width = wide / static_cast<double>(layout.heads);
    for (int64_t head = 1; head < layout.heads && layout.heads <= 64; ++head) {
        const double x = left + head_width * static_cast<double>(head);
        text += svg_line("border", x, top, x, top + high);
    }
    text += svg_box("frame", left, top, wide, high, "");
    text += svg_text("tick end", left - 8, top + 10, "0");
    if (layout.rows > 1)
        text += svg_text("tick end", left - 8, top + high, std::to_string(layout.rows - 1));
    const std::string by_head = layout.heads > 1
                                    ? ", " + std::to_string(layout.heads) + " heads of " +
                                          std::to_string(layout.columns / layout.heads)
                                    : "";
    text += svg_text("axis", left, top + high + 22,
                     "token down, channel across (" + std::to_string(layout.columns) + by_head +
                         "); each cell shows the largest error in it");
    return text + "</svg>\n";
}

std::string histogram_svg(const ErrorHistogram& histogram) {
    constexpr double left = 64, top = 34, room = 860, high = 150;
    const auto bins = histogram.candidate.size();
    const double width = std::min(60.0, room / static_cast<double>(bins));
    int64_t most = 1;
    for (size_t i = 0; i < bins; ++i)
        most = std::max({most, histogram.candidate[i], histogram.reference[i]});
    std::string text =
        "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 960 240\" aria-label=\"How "
        "many elements have an error of which size\">\n";
    const auto bar = [&](const char* classes, const char* whose, size_t bin, int64_t count,
                         double shift) {
        if (count == 0) return;
        // A single element among thousands must be seen: the square root of the count.
        const double height =
            high * std::sqrt(static_cast<double>(count) / static_cast<double>(most));
        const double low = std::ldexp(1.0, histogram.first_exponent + static_cast<int>(bin));
        text += svg_box(classes, left + width * (static_cast<double>(bin) + shift),
                        top + high - height, width * 0.42, height,
                        std::string(whose) + ": " + std::to_string(count) + " elements from " +
                            short_figure(low) + " to " + short_figure(2 * low));
    };
    for (size_t i = 0; i < bins; ++i) {
        bar("bar floor", "noise floor", i, histogram.reference[i], 0.06);
        bar("bar local", "candidate", i, histogram.candidate[i], 0.5);
    }
    text += svg_line("axis-line", left, top + high, left + width * static_cast<double>(bins),
                     top + high);
    const size_t every = std::max<size_t>(1, bins / 8);
    for (size_t i = 0; i < bins; i += every) {
        text +=
            svg_text("tick", left + width * static_cast<double>(i), top + high + 18,
                     short_figure(std::ldexp(1.0, histogram.first_exponent + static_cast<int>(i))));
    }
    text +=
        svg_box("bar floor", left, 8, 14, 14, "") + svg_text("tick", left + 20, 20, "noise floor");
    text += svg_box("bar local", left + 120, 8, 14, 14, "") +
            svg_text("tick", left + 140, 20, "candidate");
    return text +
           svg_text("axis", left, top + high + 44,
                    "error against truth; heights are square roots of counts") +
           "</svg>\n";
}

}  // namespace lockstep
