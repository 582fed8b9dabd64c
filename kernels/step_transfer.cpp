// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/step_transfer.h"

#include <algorithm>

namespace lockstep {
namespace {

bool shares_memory(const Stream& stream) {
    return stream.device().kind() == DeviceKind::cpu;
}

bool on_host(Role role, OnHost which) {
    const bool activation = role == Role::input || role == Role::output || role == Role::state ||
                            role == Role::unfused_output;
    return activation || which == OnHost::everything;
}

// Bytes from a tensor's first element to the end of its last.
size_t extent(const Tensor& tensor) {
    int64_t elements = 1;
    for (int d = 0; d < tensor.rank; ++d) elements += (tensor.shape[d] - 1) * tensor.stride[d];
    return static_cast<size_t>(dtype_bytes(tensor.dtype, elements));
}

// body(role, tensor) for every defined tensor of the call, the position among them.
template <class Body>
Status for_each_tensor(StepArgs& args, const Body& body) {
    return std::visit(
        [&]<class Args>(Args& a) -> Status {
            for (const TensorField<Args>& field : Args::fields()) {
                Tensor& tensor = a.*field.member;
                if (tensor.defined()) LOCKSTEP_TRY(body(field.role, tensor));
            }
            if (!a.context.position.defined()) return {};
            return body(Role::constant, a.context.position);
        },
        args);
}

// Memory that tensors of the call share (k and v of one cache, an input that is a slice of
// another) is one region.
struct Region {
    char* host = nullptr;
    size_t bytes = 0;
    bool written = false;
    Buffer device;
};

void add_region(std::vector<Region>& regions, char* host, size_t bytes, bool written) {
    char* end = host + bytes;
    for (size_t i = 0; i < regions.size();) {
        Region& other = regions[i];
        if (end <= other.host || other.host + other.bytes <= host) {
            ++i;
            continue;
        }
        end = std::max(end, other.host + other.bytes);
        host = std::min(host, other.host);
        written = written || other.written;
        regions.erase(regions.begin() + static_cast<int64_t>(i));
        i = 0;
    }
    Region region;
    region.host = host;
    region.bytes = static_cast<size_t>(end - host);
    region.written = written;
    regions.push_back(std::move(region));
}

class Transfer {
  public:
    Transfer(const StepArgs& args, OnHost which, Stream& stream)
        : args_(args), which_(which), stream_(stream) {}

    const StepArgs& args() const { return args_; }

    Status over() {
        LOCKSTEP_TRY(for_each_tensor(args_, [&](Role role, Tensor& tensor) -> Status {
            const bool written =
                role == Role::output || role == Role::unfused_output || role == Role::state;
            if (on_host(role, which_))
                add_region(regions_, tensor.as<char>(), extent(tensor), written);
            return {};
        }));
        Device& device = stream_.device();
        for (Region& region : regions_) {
            LOCKSTEP_ASSIGN(region.device, device.allocate(region.bytes));
            LOCKSTEP_TRY(
                device.copy_from_host(region.device.data(), region.host, region.bytes, stream_));
        }
        return for_each_tensor(args_, [&](Role role, Tensor& tensor) -> Status {
            if (!on_host(role, which_)) return {};
            const auto inside = [&](const Region& region) {
                return tensor.as<char>() >= region.host &&
                       tensor.as<char>() < region.host + region.bytes;
            };
            const auto region = std::find_if(regions_.begin(), regions_.end(), inside);
            tensor.data =
                static_cast<char*>(region->device.data()) + (tensor.as<char>() - region->host);
            return {};
        });
    }

    Status back() {
        for (const Region& region : regions_) {
            if (!region.written) continue;
            LOCKSTEP_TRY(stream_.device().copy_to_host(region.host, region.device.data(),
                                                       region.bytes, stream_));
        }
        return stream_.synchronize();
    }

  private:
    StepArgs args_;
    OnHost which_;
    Stream& stream_;
    std::vector<Region> regions_;
};

}  // namespace

Status run_step_from_host(const KernelPath& path, const StepArgs& args, OnHost on_host,
                          Stream& stream) {
    if (shares_memory(stream)) {
        LOCKSTEP_TRY(run_step(path, args, stream));
        return stream.synchronize();
    }
    Transfer transfer(args, on_host, stream);
    LOCKSTEP_TRY(transfer.over());
    LOCKSTEP_TRY(run_step(path, transfer.args(), stream));
    return transfer.back();
}

Result<Tensor> bring_to_host(const Tensor& tensor, std::vector<Buffer>& buffers, Stream& stream) {
    if (shares_memory(stream) || !tensor.defined()) return tensor;
    const size_t bytes = extent(tensor);
    LOCKSTEP_ASSIGN(Buffer buffer, cpu_device().allocate(bytes));
    LOCKSTEP_TRY(stream.device().copy_to_host(buffer.data(), tensor.data, bytes, stream));
    LOCKSTEP_TRY(stream.synchronize());
    Tensor here = tensor;
    here.data = buffer.data();
    buffers.push_back(std::move(buffer));
    return here;
}

Result<SampleStep> clone_step(const StepArgs& args, DType activation_dtype, Stream& stream) {
    if (shares_memory(stream)) return clone_step(args, activation_dtype, stream.stop_flag());
    StepArgs here = args;
    std::vector<Buffer> copies;  // of what the clone converts; gone when it has
    LOCKSTEP_TRY(for_each_tensor(here, [&](Role role, Tensor& tensor) -> Status {
        if (role != Role::input && role != Role::state) return {};
        LOCKSTEP_ASSIGN(tensor, bring_to_host(tensor, copies, stream));
        return {};
    }));
    return clone_step(here, activation_dtype);
}

void share_weights(const StepArgs& from, StepArgs& to) {
    std::visit(
        [&]<class Args>(Args& target) {
            const Args& source = std::get<Args>(from);
            for (const TensorField<Args>& field : Args::fields()) {
                if (!on_host(field.role, OnHost::activations))
                    target.*field.member = source.*field.member;
            }
            target.context.position = source.context.position;
        },
        to);
}

Status bring_weights(StepArgs& args, std::vector<Buffer>& buffers, Stream& stream) {
    return for_each_tensor(args, [&](Role role, Tensor& tensor) -> Status {
        if (on_host(role, OnHost::activations)) return {};
        LOCKSTEP_ASSIGN(tensor, bring_to_host(tensor, buffers, stream));
        return {};
    });
}

}  // namespace lockstep
