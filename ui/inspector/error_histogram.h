// SPDX-License-Identifier: GPL-3.0-or-later
// How a tap's errors against truth are spread, the candidate's beside the reference's (the noise
// floor). A kernel that only rounds has the floor's shape; a fault stands to the right of it.
#pragma once

#include <memory>

#include "ui/inspector/plot_widget.h"
#include "ui/inspector/tap_detail.h"

namespace lockstep {

class ErrorHistogramView : public PlotWidget {
    Q_OBJECT
  public:
    explicit ErrorHistogramView(QWidget* parent = nullptr);
    void setDetail(std::shared_ptr<const TapDetail> detail);

  protected:
    void dress(const ThemeColors& colors) override;

  private:
    void fill();
    QCPGraph *reference_, *candidate_;
    std::shared_ptr<const TapDetail> detail_;
};

}  // namespace lockstep
