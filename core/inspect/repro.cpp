// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/repro.h"

#include <cstring>
#include <limits>
#include <map>
#include <sstream>

#include "core/base/mapped_file.h"
#include "core/base/output_file.h"
#include "core/inspect/repro_driver.h"
#include "core/model/safetensors.h"
#include "core/model/safetensors_writer.h"
#include "kernels/user/kernel_header.h"
#include "kernels/user/kernel_library.h"

namespace lockstep {
namespace {

constexpr const char* data_name = "repro.safetensors";

bool is_made(Role role) {
    return role == Role::output || role == Role::unfused_output;
}

std::vector<int64_t> shape_of(const Tensor& tensor) {
    return {tensor.shape.begin(), tensor.shape.begin() + tensor.rank};
}

TensorToWrite stored(std::string name, const Tensor& tensor) {
    return {std::move(name), tensor.dtype, shape_of(tensor),
            [tensor](std::span<std::byte> bytes) -> Status {
                const int64_t count = tensor.numel();
                for (int64_t i = 0; i < count; ++i)
                    store_element(bytes.data(), tensor.dtype, i, element(tensor, i));
                return {};
            }};
}

// Of the cache, the rows that the call must append are what it wrote; the driver makes them NaN.
void poison_appended(TensorToWrite& cache, const QkvArgs& args) {
    const int64_t per_row = args.k_cache.shape[1] * args.k_cache.shape[2];
    const int64_t first = args.context.first_row * per_row, count = args.q.shape[0] * per_row;
    cache.read = [read = cache.read, first, count,
                  dtype = cache.dtype](std::span<std::byte> bytes) -> Status {
        LOCKSTEP_TRY(read(bytes));
        for (int64_t i = first; i < first + count; ++i)
            store_element(bytes.data(), dtype, i, std::numeric_limits<float>::quiet_NaN());
        return {};
    };
}

class Repro {
  public:
    Repro(const StepCase& step, const Comparison& comparison)
        : args_(step.runs.candidate.args), step_(step), comparison_(comparison) {}

    std::vector<TensorToWrite> tensors() const {
        std::vector<TensorToWrite> all;
        for (const NamedTensor& named : step_tensors(args_)) {
            if (is_made(named.role) || named.tensor.dtype == DType::i32) continue;
            all.push_back(stored(std::string(named.name), named.tensor));
            const auto* qkv = std::get_if<QkvArgs>(&args_);
            if (qkv && named.role == Role::state) poison_appended(all.back(), *qkv);
        }
        for (const auto& [run, taps] : made()) {
            for (const NamedTensor& tap : taps)
                all.push_back(stored(run + "." + std::string(tap.name), tap.tensor));
        }
        return all;
    }

    // offsets: of each tensor's data in the file.
    std::string driver(const std::map<std::string, int64_t>& offsets) const {
        const std::string function = kernel_function(step_id(args_));
        std::ostringstream out;
        out << "// " << function.substr(9) << " of layer " << step_context(args_).layer << " of "
            << comparison_.model << " (" << comparison_.dtype << "), as " << comparison_.candidate
            << " parted from " << comparison_.reference << " in " << step_.where.tensor << ".\n"
            << "// Build it with the kernel's source, and run it in this folder:\n"
            << "//     g++ -g -O1 -fsanitize=address,undefined -I . -o repro repro.cpp "
               "my_kernel.cpp && ./repro\n"
            << "// Exit status: 0 good, 1 wrong, 2 the kernel returned an error or a file is not "
               "there.\n"
            << "#include <cmath>\n#include <cstdio>\n#include <cstring>\n#include <memory>\n"
            << "#include <vector>\n\n#include \"lockstep_kernel.h\"\n"
            << repro_driver << '\n';
        main_function(out, function, offsets);
        return out.str();
    }

  private:
    std::vector<std::pair<std::string, std::vector<NamedTensor>>> made() const {
        const StepRuns& runs = step_.runs;
        return {{"candidate", step_taps(args_, false)},
                {"reference", step_taps(runs.reference.args, false)},
                {"truth", step_taps(runs.truth.args, false)}};
    }

    static void list(std::ostream& out, const std::array<int64_t, Tensor::max_rank>& values) {
        out << '{';
        for (size_t i = 0; i < values.size(); ++i) out << (i ? ", " : "") << values[i];
        out << '}';
    }
    static void describe(std::ostream& out, std::string_view name, const Tensor& tensor,
                         int64_t offset) {
        out << "{\"" << name << "\", " << static_cast<int>(tensor.dtype) << ", " << tensor.rank
            << ", ";
        list(out, tensor.shape);
        out << ", ";
        list(out, tensor.stride);
        out << ", " << offset << "}";
    }

    void main_function(std::ostream& out, const std::string& function,
                       const std::map<std::string, int64_t>& offsets) const {
        const StepContext& context = step_context(args_);
        out << "int main() {\n"
            << "    if (!read_file(\"" << data_name << "\")) {\n"
            << "        fprintf(stderr, \"" << data_name << " is not in this folder\\n\");\n"
            << "        return 2;\n    }\n"
            << "    " << function << "_args args = " << function << "_args();\n"
            << "    int32_t position = " << context.first_row << ";\n"
            << "    args.context.struct_size = sizeof args;\n"
            << "    args.context.threads = 1;\n"
            << "    args.context.layer = " << context.layer << ";\n"
            << "    args.context.first_row = position;\n"
            << "    args.context.position.data = &position;\n"
            << "    args.context.position.dtype = LOCKSTEP_I32;\n"
            << "    args.context.position.rank = 1;\n"
            << "    args.context.position.shape[0] = args.context.position.stride[0] = 1;\n";
        for (const NamedTensor& named : step_tensors(args_)) operand(out, named, offsets);
        numbers(out);
        out << "    const int error = " << function << "(&args);\n"
            << "    if (error != 0) {\n"
            << "        fprintf(stderr, \"" << function << " returned %d\\n\", error);\n"
            << "        return 2;\n    }\n    bool good = true;\n";
        for (const NamedTensor& tap : step_taps(args_, false)) expectation(out, tap, offsets);
        out << "    return good ? 0 : 1;\n}\n";
    }

    static void operand(std::ostream& out, const NamedTensor& named,
                        const std::map<std::string, int64_t>& offsets) {
        if (named.role == Role::unfused_output) return;  // NULL
        const std::string name(named.name);
        if (named.tensor.dtype == DType::i32) {
            out << "    static int32_t " << name << "[] = {";
            for (int64_t i = 0; i < named.tensor.shape[0]; ++i)
                out << (i ? ", " : "") << named.tensor.as<int32_t>()[i * named.tensor.stride[0]];
            out << "};\n    args." << name << ".data = " << name << ";\n    args." << name
                << ".dtype = LOCKSTEP_I32;\n    args." << name << ".rank = 1;\n    args." << name
                << ".shape[0] = " << named.tensor.shape[0] << ";\n    args." << name
                << ".stride[0] = 1;\n";
            return;
        }
        out << "    args." << name << " = make(";
        describe(out, name, named.tensor, is_made(named.role) ? -1 : offsets.at(name));
        out << ");\n";
    }

    void numbers(std::ostream& out) const {
        out.precision(9);
        std::visit(
            [&](const auto& args) {
                if constexpr (requires { args.rms_norm_eps; })
                    out << "    args.rms_norm_eps = static_cast<float>(" << args.rms_norm_eps
                        << ");\n";
                if constexpr (requires { args.scale; })
                    out << "    args.scale = static_cast<float>(" << args.scale << ");\n";
            },
            args_);
    }

    void expectation(std::ostream& out, const NamedTensor& tap,
                     const std::map<std::string, int64_t>& offsets) const {
        const std::string name(tap.name);
        const bool cached = name == "k" || name == "v";
        out << "    good = compare(args." << name << (cached ? "_cache" : "") << ", {\"" << name
            << "\", " << (cached ? step_context(args_).first_row : 0);
        for (const auto& [run, taps] : made()) {
            for (const NamedTensor& other : taps) {
                if (other.name != tap.name) continue;
                // As the file has it: dense, in the shape that the struct has.
                const Tensor dense = in_struct(other.tensor, name);
                out << ",\n        ";
                describe(out, name, dense, offsets.at((run + ".").append(name)));
            }
        }
        out << "}) && good;\n";
    }

    // attn is a tap by heads, but [T, A*D] in the struct.
    static Tensor in_struct(const Tensor& tap, const std::string& name) {
        if (name == "attn")
            return Tensor(tap.data, tap.dtype, {tap.shape[0], tap.shape[1] * tap.shape[2]});
        if (tap.rank == 3)
            return Tensor(tap.data, tap.dtype, {tap.shape[0], tap.shape[1], tap.shape[2]});
        return Tensor(tap.data, tap.dtype, {tap.shape[0], tap.shape[1]});
    }

    const StepArgs& args_;
    const StepCase& step_;
    const Comparison& comparison_;
};

Result<std::map<std::string, int64_t>> offsets_in(const std::filesystem::path& path) {
    LOCKSTEP_ASSIGN(const MappedFile file, MappedFile::open(path));
    LOCKSTEP_ASSIGN(const std::vector<StoredTensor> tensors, read_safetensors(file));
    std::map<std::string, int64_t> offsets;
    for (const StoredTensor& tensor : tensors)
        offsets[tensor.name] = tensor.data.data() - file.bytes().data();
    return offsets;
}

}  // namespace

Status check_repro_folder(const std::filesystem::path& folder) {
    std::error_code error;
    const bool there = std::filesystem::is_directory(folder, error);
    return check_writable(there ? folder / data_name : folder);
}

Status write_repro(const StepCase& step, const Comparison& comparison,
                   const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directory(folder, error);
    if (error) return fail(ErrorKind::io, folder.string() + ": " + error.message());
    const Repro repro(step, comparison);
    LOCKSTEP_TRY(write_safetensors(folder / data_name, repro.tensors(),
                                   {{"model", comparison.model},
                                    {"candidate", comparison.candidate},
                                    {"reference", comparison.reference},
                                    {"step", std::string(step_name(step.where.step))},
                                    {"layer", std::to_string(step.where.layer)}}));
    LOCKSTEP_ASSIGN(const auto offsets, offsets_in(folder / data_name));
    LOCKSTEP_TRY(write_whole_file(folder / "lockstep_kernel.h", kernel_header_text()));
    return write_whole_file(folder / "repro.cpp", repro.driver(offsets));
}

}  // namespace lockstep
