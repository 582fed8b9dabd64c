// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/common.h"

#include <iostream>
#include <iterator>

#include "core/base/output_file.h"
#include "core/catalogue/catalogue.h"
#include "kernels/gpu_info.h"

namespace lockstep::app {

namespace {

template <class Body>
int parse_and_run(Options& options, int argc, char** argv, const Body& body) {
    Result<int> result = 0;
    if (const Status parsed = options.parse(argc, argv); !parsed) {
        result = tl::unexpected<Error>(parsed.error());
    } else if (options.has("help")) {
        std::cout << options.help();
    } else {
        result = body();
    }
    if (result) return *result;
    std::cout.flush();
    std::cerr << "lockstep: " << result.error().message << '\n';
    return 2;
}

}  // namespace

int run_word(Options options, int argc, char** argv, Status (*body)(const Options&)) {
    return parse_and_run(options, argc, argv, [&] { return body(options).map([] { return 0; }); });
}

int run_word(Options options, int argc, char** argv, Result<int> (*body)(const Options&)) {
    return parse_and_run(options, argc, argv, [&] { return body(options); });
}

Result<std::filesystem::path> resolve_model(const std::string& name) {
    std::error_code error;
    const std::filesystem::path as_path(name);
    std::string known;
    if (const auto models = read_catalogue(data_file("models.json"))) {
        for (const CatalogueModel& model : *models) {
            known += (known.empty() ? "" : ", ") + model.name;
            if (model.name != name) continue;
            const std::filesystem::path path = default_models_folder() / model.file;
            if (std::filesystem::exists(path, error)) return path;
            return fail(ErrorKind::io, "model " + name + " is not here yet (" + path.string() +
                                           "): ./lockstep fetches it, or open it in the window");
        }
    }
    if (std::filesystem::exists(as_path, error)) return as_path;
    const std::filesystem::path in_folder = default_models_folder() / as_path;
    if (std::filesystem::exists(in_folder, error)) return in_folder;
    return fail(ErrorKind::io, "model \"" + name +
                                   "\": there is no such file or folder, and the catalogue " +
                                   "has no model of that name (it knows: " + known + ")");
}

Result<DType> dtype_option(const Options& options) {
    const std::string name = options.text("dtype", "bf16");
    if (name == "bf16") return DType::bf16;
    if (name == "fp16" || name == "f16") return DType::f16;
    if (name == "fp32" || name == "f32") return DType::f32;
    return fail(ErrorKind::invalid_argument,
                "--dtype takes bf16, fp16 or fp32, not \"" + name + "\"");
}

Result<Device*> device_option(const Options& options) {
    auto device = device_from_name(options.text("device", "cpu"));
    if (!device) return within("--device", std::move(device).error());
    return device;
}

Result<Engine::Options> engine_options(const Options& options) {
    Engine::Options made;
    LOCKSTEP_ASSIGN(const int64_t threads, options.integer("threads", 0, 0, 1024));
    LOCKSTEP_ASSIGN(made.context, options.integer("context", 0, 0, int64_t{1} << 30));
    made.threads = static_cast<int>(threads);
    return made;
}

std::string known_paths() {
    std::string names;
    for (const KernelPath& path : kernel_paths(DeviceKind::cpu))
        names += (names.empty() ? "" : ", ") + path.name;
    return names;
}

Result<std::string> path_option(const Options& options, const std::string& fallback) {
    const std::string name = options.text("path", fallback);
    if (find_kernel_path(DeviceKind::cpu, name)) return name;
    return fail(ErrorKind::invalid_argument,
                "--path takes one of " + known_paths() + ", not \"" + name + "\"");
}

std::string read_stdin() {
    return {std::istreambuf_iterator<char>(std::cin), {}};
}

std::function<void(std::string_view)> kernel_output_to_stderr() {
    constexpr size_t most = 256 * 1024;
    return [shown = size_t{0}](std::string_view text) mutable {
        if (shown > most) return;
        std::cerr << text.substr(0, most - shown);
        shown += text.size();
        if (shown > most) std::cerr << "\nlockstep: the kernel prints more; it is not shown\n";
        std::cerr << std::flush;
    };
}

Status write_json(const std::string& file, const OrderedJson& json, int indent) {
    const std::string text =
        json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    if (file == "-") {
        std::cout << text << std::flush;
        return {};
    }
    return write_whole_file(file, text);
}

}  // namespace lockstep::app
