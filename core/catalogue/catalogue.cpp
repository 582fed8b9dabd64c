// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/catalogue/catalogue.h"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace lockstep {
namespace {

using nlohmann::json;

std::string text_field(const json& entry, const char* name) {
    const auto found = entry.find(name);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::filesystem::path environment_path(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return value ? value : "";
}

}  // namespace

Result<std::vector<CatalogueModel>> read_catalogue(const std::filesystem::path& file) {
    std::ifstream stream(file);
    if (!stream) return fail(ErrorKind::io, file.string() + ": cannot be read");
    const json entries = json::parse(stream, nullptr, false);
    if (!entries.is_array())
        return fail(ErrorKind::invalid_file, file.string() + ": not a JSON array of models");
    std::vector<CatalogueModel> models;
    for (const json& entry : entries) {
        if (!entry.is_object())
            return fail(ErrorKind::invalid_file, file.string() + ": an entry is not an object");
        CatalogueModel model{
            text_field(entry, "name"),
            text_field(entry, "title"),
            text_field(entry, "file"),
            text_field(entry, "sha256"),
            text_field(entry, "licence"),
            text_field(entry, "description"),
            entry.value("size", json()).is_number_integer() ? entry["size"].get<int64_t>() : 0};
        if (model.name.empty() || model.file.empty() || model.size <= 0)
            return fail(ErrorKind::invalid_file,
                        file.string() + ": entry '" + model.name + "' lacks name, file or size");
        models.push_back(std::move(model));
    }
    return models;
}

std::filesystem::path default_models_folder() {
    if (auto folder = environment_path("LOCKSTEP_MODELS"); !folder.empty()) return folder;
    auto data = environment_path("XDG_DATA_HOME");
    if (data.empty()) data = environment_path("HOME") / ".local" / "share";
    return data / "lockstep" / "models";
}

std::filesystem::path data_file(const std::string& name) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    auto installed = program.parent_path().parent_path() / "share" / "lockstep" / name;
    if (!error && std::filesystem::exists(installed, error)) return installed;
    const std::filesystem::path source(LOCKSTEP_SOURCE_DIR);
    const auto resource = source / "resources" / name;
    return std::filesystem::exists(resource, error) ? resource : source / "tools" / name;
}

}  // namespace lockstep
