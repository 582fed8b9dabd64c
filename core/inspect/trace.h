// SPDX-License-Identifier: GPL-3.0-or-later
// A trace that somebody captured, read without trust: docs/trace-format.md. Opening it checks the
// file by itself, check_against() what a model makes of it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/mapped_file.h"
#include "core/inspect/trace_format.h"
#include "core/model/model.h"
#include "core/model/stored_tensor.h"

namespace lockstep {

class Trace {
  public:
    static Result<std::shared_ptr<const Trace>> open(const std::filesystem::path& file);

    const std::filesystem::path& file() const { return mapped_.path(); }
    const std::string& model() const { return model_; }  // as its metadata names it, or ""
    const std::string& path() const { return path_; }    // "transformers eager", or ""
    DType dtype() const { return dtype_; }               // that it was computed in
    const std::vector<int32_t>& prompt_ids() const { return prompt_ids_; }
    // What each decode step was fed; as many as there are decode steps.
    const std::vector<int32_t>& decode_ids() const { return decode_ids_; }

    // Whether the model can have made it. Errors name the tensor or the key, what the trace has and
    // what the model has.
    Status check_against(const Model& model) const;

    // Null where the trace has no such tensor. Rows are those of the pass.
    const StoredTensor* find(int pass, int layer, StepId step, std::string_view tap) const;
    // Rows [first, first + count) of it, contiguous, in the dtype and shape that it is stored in.
    // The memory is the buffer's.
    static Result<Tensor> rows(const StoredTensor& stored, int64_t first, int64_t count,
                               Buffer& buffer);

  private:
    Trace() = default;
    tl::unexpected<Error> wrong(const std::string& what) const;
    Status read_metadata();
    Status read_tensors();
    Status find_decode_ids(const std::string& json);  // of the metadata; may be empty
    Result<std::vector<int32_t>> read_ids(const std::string& key, const std::string& json) const;
    Status check_shape(const TracePlace& place, const StoredTensor& stored,
                       const Model& model) const;
    Status check_identity(const Model& model) const;
    Status check_ids(const Model& model) const;

    MappedFile mapped_;
    std::map<std::string, StoredTensor, std::less<>> tensors_;  // those whose names are known
    std::string model_, path_, decode_ids_json_;
    DType dtype_ = DType::bf16;
    std::vector<int32_t> prompt_ids_, decode_ids_;
    int last_pass_ = 0;
};

}  // namespace lockstep
