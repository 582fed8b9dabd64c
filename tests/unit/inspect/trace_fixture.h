// SPDX-License-Identifier: GPL-3.0-or-later
// Traces of a tiny model, right and wrong, for the tests of what is made of them.
#pragma once

#include <QTest>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include "core/base/output_file.h"
#include "core/inspect/inspection.h"
#include "core/inspect/trace.h"
#include "core/inspect/trace_writer.h"
#include "core/model/safetensors.h"
#include "core/model/safetensors_writer.h"
#include "tests/support/tiny_model.h"

namespace lockstep::test {

inline const KernelPath& path(const std::string& name) {
    return *find_kernel_path(DeviceKind::cpu, name);
}

inline TinyRecipe recipe_named(const char* name) {
    const auto recipes = read_tiny_recipes();
    for (const TinyRecipe& recipe : *recipes) {
        if (recipe.name == name) return recipe;
    }
    return {};
}

inline const std::vector<int32_t> prompt{3, 14, 15, 92, 65, 35, 89};

// A trace's tensors and metadata, to be changed and written again.
struct TraceFile {
    std::map<std::string, std::string> metadata;
    struct Stored {
        DType dtype;
        std::vector<int64_t> shape;
        std::string bytes;
    };
    std::map<std::string, Stored> tensors;

    static TraceFile read(const std::filesystem::path& file) {
        TraceFile trace;
        const auto mapped = MappedFile::open(file);
        trace.metadata = *read_safetensors_metadata(*mapped);
        const auto stored = read_safetensors(*mapped);
        for (const StoredTensor& tensor : *stored) {
            trace.tensors[tensor.name] = {
                *tensor.dtype, tensor.shape,
                std::string(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size())};
        }
        return trace;
    }

    void write(const std::filesystem::path& file) const {
        std::vector<TensorToWrite> all;
        for (const auto& [name, stored] : tensors) {
            const std::string& bytes = stored.bytes;
            all.push_back({name, stored.dtype, stored.shape, [&bytes](std::span<std::byte> to) {
                               std::memcpy(to.data(), bytes.data(), to.size());
                               return Status();
                           }});
        }
        QVERIFY(write_safetensors(file, all, metadata).has_value());
    }

    // Stored in another dtype.
    void convert(DType dtype) {
        for (auto& [name, stored] : tensors) {
            const auto count =
                static_cast<int64_t>(stored.bytes.size()) / dtype_bytes(stored.dtype, 1);
            std::string bytes(static_cast<size_t>(dtype_bytes(dtype, count)), '\0');
            for (int64_t i = 0; i < count; ++i)
                store_element(bytes.data(), dtype, i,
                              load_element(stored.bytes.data(), stored.dtype, i));
            stored = {dtype, stored.shape, bytes};
        }
    }
};

// The path with one step changed in one layer and only where `when` says so.
template <class Args>
KernelPath with_wrong(KernelPath base, StepFunction<Args> KernelPath::*step, int layer,
                      const std::function<void(Args&)>& change) {
    const StepFunction<Args> honest = base.*step;
    base.*step = [honest, layer, change](const Args& args, Stream& stream) {
        Args changed = args;
        if (args.context.layer == layer) change(changed);
        return honest(changed, stream);
    };
    return base;
}

inline std::string place(const Comparison& comparison) {
    if (!comparison.first) return comparison.drift_unexplained ? "drift unexplained" : "match";
    const Divergence& first = *comparison.first;
    return "pass " + std::to_string(first.pass) + " layer " + std::to_string(first.layer) + " " +
           std::string(step_name(first.step)) + " " + first.tensor;
}

class TraceFixture {
  protected:
    std::shared_ptr<const Model> model_ =
        make_tiny_model(recipe_named("qwen2-gqa7-tied"), DType::bf16);
    QTemporaryDir folder_;

    std::filesystem::path file(const char* name = "t.safetensors") const {
        return folder_.filePath(name).toStdString();
    }
    // Writes file() with this path and three decode steps.
    void capture(const KernelPath& wanted, const std::shared_ptr<const Model>& model,
                 std::vector<int32_t> forced = {}) const {
        TraceRequest request;
        request.model = model;
        request.threads = 2;
        request.prompt = prompt;
        request.path = wanted;
        request.decode_steps = 3;
        request.decode_ids = std::move(forced);
        const auto written = write_trace(request, file());
        QVERIFY2(written.has_value(), written ? "" : written.error().message.c_str());
    }
    static CompareRequest request_of(const std::shared_ptr<const Model>& model,
                                     const std::shared_ptr<const Trace>& trace) {
        CompareRequest request;
        request.model = model;
        request.threads = 2;
        request.trace = trace;
        request.candidate.name = "trace";
        request.reference = request.floor = path("reference");
        request.truth = path("truth");
        return request;
    }
    Result<Comparison> judge_file(const std::shared_ptr<const Model>& model) const {
        LOCKSTEP_ASSIGN(const std::shared_ptr<const Trace> trace, Trace::open(file()));
        return compare_paths(request_of(model, trace));
    }
    // What is wrong with file(), or "match" and the like.
    std::string outcome(const std::shared_ptr<const Model>& model) const {
        const auto result = judge_file(model);
        return result ? place(*result) : "error: " + result.error().message;
    }
};

}  // namespace lockstep::test
