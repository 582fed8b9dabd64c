// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/path_choice.h"

#include <algorithm>
#include <vector>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

// The path that most steps take; of equals the one that comes first.
const std::string& most_frequent(const std::array<std::string, step_count>& steps) {
    return *std::max_element(steps.begin(), steps.end(), [&](const auto& a, const auto& b) {
        return std::count(steps.begin(), steps.end(), a) <
               std::count(steps.begin(), steps.end(), b);
    });
}

const KernelPath* find(DeviceKind device, const PathChoice& choice, const std::string& name) {
    if (choice.own && choice.own->name == name && choice.own->device == device)
        return choice.own.get();
    return find_kernel_path(device, name);
}

std::string known_paths(DeviceKind device, const PathChoice& choice) {
    std::string names = choice.own ? choice.own->name : "";
    for (const KernelPath& path : kernel_paths(device))
        names += (names.empty() ? "" : ", ") + path.name;
    return names;
}

}  // namespace

std::string PathChoice::name() const {
    const std::string& base = most_frequent(steps);
    std::vector<std::string> others;  // in the order of their first step
    for (const std::string& path : steps) {
        if (path != base && std::find(others.begin(), others.end(), path) == others.end())
            others.push_back(path);
    }
    std::string exceptions;
    for (const std::string& other : others) {
        exceptions += (exceptions.empty() ? "" : "; ") + other + ":";
        const char* separator = " ";
        for (int step = 0; step < step_count; ++step) {
            if (steps[static_cast<size_t>(step)] != other) continue;
            exceptions += separator + std::string(step_name(static_cast<StepId>(step)));
            separator = ", ";
        }
    }
    return exceptions.empty() ? base : base + " (" + exceptions + ")";
}

Result<KernelPath> make_path(DeviceKind device, const PathChoice& choice) {
    std::array<const KernelPath*, step_count> paths{};
    for (size_t step = 0; step < paths.size(); ++step) {
        const std::string& name = choice.steps[step];
        paths[step] = find(device, choice, name);
        if (paths[step]) continue;
        return fail(
            ErrorKind::invalid_argument,
            "there is no path named \"" + name + "\"; there are: " + known_paths(device, choice));
    }
    const KernelPath* const base = find(device, choice, most_frequent(choice.steps));
    KernelPath mixed = *base;
    for (size_t step = 0; step < paths.size(); ++step) {
        const KernelPath& path = *paths[step];
        if (path.f32_activations != base->f32_activations) {
            const std::string& wide = path.f32_activations ? path.name : base->name;
            return fail(ErrorKind::invalid_argument,
                        "path " + wide +
                            " computes in f32 and does not mix with others: choose it "
                            "for all seven steps or for none");
        }
        if (paths[step] != base) mixed = mixed.with_step(static_cast<StepId>(step), path);
    }
    mixed.name = choice.name();
    return mixed;
}

LivePath::LivePath() {
    for (const char* name : {"fused", "reference", "truth"}) {
        if (find_kernel_path(DeviceKind::cpu, name) && set(PathChoice(name))) return;
    }
}

Status LivePath::set(const PathChoice& choice) {
    const std::scoped_lock lock(mutex_);
    return set(device_, choice);
}

Status LivePath::set_device(DeviceKind device) {
    const std::scoped_lock lock(mutex_);
    if (device == device_ || set(device, choice_)) return {};
    return set(device, PathChoice());
}

// The lock is held.
Status LivePath::set(DeviceKind device, const PathChoice& choice) {
    LOCKSTEP_ASSIGN(KernelPath path, make_path(device, choice));
    device_ = device;
    choice_ = choice;
    current_ = {std::make_shared<const KernelPath>(std::move(path)), current_.version + 1};
    return {};
}

PathChoice LivePath::choice() const {
    const std::scoped_lock lock(mutex_);
    return choice_;
}

LivePath::Current LivePath::current() const {
    const std::scoped_lock lock(mutex_);
    return current_;
}

}  // namespace lockstep
