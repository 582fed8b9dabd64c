// SPDX-License-Identifier: GPL-3.0-or-later
// The look of the panel's tables.
#pragma once

#include <QString>

class QTableView;

namespace lockstep {

// Whole rows are chosen, Tab leaves it; where a row's Qt::UserRole is true, its text in the
// verdict's column is bold and in the error's colour. -1: no column is.
QTableView* makeFigureTable(const QString& accessible_name, int verdict_column = -1);

}  // namespace lockstep
