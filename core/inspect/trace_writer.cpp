// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/trace_writer.h"

#include "core/base/json.h"
#include "core/inspect/passes.h"
#include "core/inspect/probe.h"
#include "core/inspect/trace_format.h"
#include "core/model/safetensors_writer.h"
#include "core/run/forward.h"

namespace lockstep {
namespace {

class Capture {
  public:
    explicit Capture(const TraceRequest& request) : request_(request) {}

    Status run() {
        const Model& model = *request_.model;
        const auto rows = static_cast<int64_t>(request_.prompt.size());
        Device& device = device_of(model);
        all_logits_ = keeps_all_logits(model.config, rows);
        LOCKSTEP_ASSIGN(session_, Session::create(request_.model, device, request_.threads,
                                                  rows + request_.decode_steps));
        const int64_t batches = (rows + session_->max_batch() - 1) / session_->max_batch();
        LOCKSTEP_ASSIGN(
            probe_,
            Probe::create(model.config, request_.path.f32_activations ? DType::f32 : model.dtype,
                          {rows, request_.decode_steps, all_logits_ ? rows : batches}, device));
        LOCKSTEP_TRY(for_each_pass(
            *session_, request_.prompt, {},
            [&](int pass, std::span<const int32_t> batch) { return forward(pass, batch); }));
        for (int step = 0; step < request_.decode_steps; ++step) {
            decode_ids_.push_back(request_.decode_ids.empty()
                                      ? next_
                                      : request_.decode_ids[static_cast<size_t>(step)]);
            LOCKSTEP_TRY(forward(step + 1, std::span<const int32_t>(decode_ids_).last(1)));
        }
        return {};
    }

    const std::vector<int32_t>& decode_ids() const { return decode_ids_; }

    std::vector<TensorToWrite> tensors() const {
        std::vector<TensorToWrite> all;
        for (const TapRecord& record : probe_->records()) {
            const TracePlace place{record.pass, record.layer, record.step, record.tap};
            Tensor kept = record.tensor;
            // Of a prefill in batches whose logits are not all kept, the last row is what counts.
            if (record.step == StepId::logits && !all_logits_)
                kept = kept.rows(kept.shape[0] - 1, 1);
            Stream* const stream = &session_->stream();
            all.push_back({trace_name(record.pass, record.layer, record.step, record.tap),
                           kept.dtype, trace_shape(place, request_.model->config, kept.shape[0]),
                           [kept, stream](std::span<std::byte> bytes) -> Status {
                               LOCKSTEP_TRY(stream->device().copy_to_host(bytes.data(), kept.data,
                                                                          bytes.size(), *stream));
                               return stream->synchronize();
                           }});
        }
        return all;
    }

  private:
    Status forward(int pass, std::span<const int32_t> batch) {
        probe_->begin_pass(pass);
        LOCKSTEP_ASSIGN(const Tensor logits,
                        Forward::run(*session_, request_.path, batch,
                                     {request_.cancel, probe_.get(), all_logits_}));
        next_ = greedy(logits);
        return {};
    }

    const TraceRequest& request_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Probe> probe_;
    std::vector<int32_t> decode_ids_;
    int32_t next_ = 0;
    bool all_logits_ = true;
};

}  // namespace

Result<TraceWritten> write_trace(const TraceRequest& request, const std::filesystem::path& file) {
    LOCKSTEP_TRY(check_length(*request.model, request.prompt.size(), request.decode_steps));
    if (!request.decode_ids.empty() &&
        request.decode_ids.size() != static_cast<size_t>(request.decode_steps)) {
        return fail(ErrorKind::invalid_argument,
                    std::to_string(request.decode_steps) + " decode steps can't be fed " +
                        std::to_string(request.decode_ids.size()) + " ids");
    }
    Capture capture(request);
    LOCKSTEP_TRY(capture.run());
    std::vector<TensorToWrite> tensors = capture.tensors();
    TraceWritten written{capture.decode_ids(), tensors.size()};
    LOCKSTEP_TRY(write_safetensors(file, std::move(tensors),
                                   {{"model", request.model->name},
                                    {"path", request.path.name},
                                    {"dtype", std::string(trace_dtype_name(request.model->dtype))},
                                    {"prompt_ids", Json(request.prompt).dump()},
                                    {"decode_ids", Json(written.decode_ids).dump()}}));
    return written;
}

}  // namespace lockstep
