// SPDX-License-Identifier: GPL-3.0-or-later
// Which path computes each step, and how that choice is changed while an answer runs.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "kernels/kernel_path.h"
#include "kernels/status.h"

namespace lockstep {

// Which path computes each step: "fused" for all, or a mix. Truth does not mix with the others (its
// activations are f32).
struct PathChoice {
    std::array<std::string, step_count> steps;
    // A path that is not registered (a user's kernels), which steps may name like another. It comes
    // before a registered one of its name.
    std::shared_ptr<const KernelPath> own;

    PathChoice(std::string_view all = "fused") { steps.fill(std::string(all)); }
    explicit PathChoice(std::shared_ptr<const KernelPath> all) : own(std::move(all)) {
        steps.fill(own->name);
    }
    std::string name() const;  // "fused", "reference", or "fused (reference: qkv, down)"
    bool operator==(const PathChoice&) const = default;
};

// The path that computes each step as chosen, named as the choice is.
Result<KernelPath> make_path(DeviceKind device, const PathChoice& choice);

// A choice that any thread may replace at any time; the one who computes asks for it before each
// token. An impossible choice is refused and the one in use stays.
class LivePath {
  public:
    LivePath();  // fused on the CPU, or the best that this build has
    Status set(const PathChoice& choice);
    // The same choice on another device; fused where it names a path that is not there (a user's
    // kernels are for one kind of device).
    Status set_device(DeviceKind device);
    PathChoice choice() const;

    struct Current {
        std::shared_ptr<const KernelPath> path;
        uint64_t version = 0;  // of this choice on this device, never 0, never used again
    };
    Current current() const;

  private:
    Status set(DeviceKind device, const PathChoice& choice);

    mutable std::mutex mutex_;
    DeviceKind device_ = DeviceKind::cpu;
    PathChoice choice_;
    Current current_;
};

}  // namespace lockstep
