// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers and places of a comparison as the panel writes them, the same words everywhere.
#pragma once

#include <QString>
#include <string_view>

#include "ui/inspector/plot_data.h"

namespace lockstep {

QString toText(std::string_view utf8);
QString figureText(double value);  // "0.41", "3.9e-05", "0", "not finite"
QString shareText(double share);   // "99.98 %", never rounded up to "100 %"
QString cosineText(double cosine);
QString layerText(int layer, int num_hidden_layers);       // "embed", "layer 3", "logits"
QString layerShortText(int layer, int num_hidden_layers);  // "embed", "3", "logits"
QString stepText(StepId step);

QString metricTitle(Metric metric);  // "Max error", for a combo box and an axis
QString metricKey(Metric metric);    // a word that does not change, for settings and tests

// "layer 3, qkv k: drift 0.41, local 0.41, noise floor 0.004, diverged"
QString pointText(const PlotPoint& point, int num_hidden_layers);

}  // namespace lockstep
