// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep models: what is known by name, and what lies in the models folder besides.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "app/common.h"
#include "app/words.h"
#include "core/catalogue/catalogue.h"

namespace lockstep::app {
namespace {

Options models_options() {
    return {
        "models",
        "lockstep models [--json F]\n"
        "Lists the models of the catalogue and those in the models folder ($LOCKSTEP_MODELS, else\n"
        "$XDG_DATA_HOME/lockstep/models): name, where it lies, size, licence.",
        {{"json", "F", "write [{name, title, file, present, size, licence, description}] to F"}}};
}

struct Known {
    std::string name, title, licence, description;
    std::filesystem::path path;
    int64_t size = 0;
    bool present = false;
};

std::vector<Known> catalogue_models(const std::vector<CatalogueModel>& catalogue) {
    std::vector<Known> all;
    std::error_code error;
    for (const CatalogueModel& model : catalogue) {
        const auto path = default_models_folder() / model.file;
        all.push_back({model.name, model.title, model.licence, model.description, path, model.size,
                       std::filesystem::exists(path, error)});
    }
    return all;
}

// GGUF files and folders with a config.json that no entry of the catalogue names.
void add_own_models(std::vector<Known>& all) {
    const size_t catalogued = all.size();
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(default_models_folder(), error)) {
        const auto& path = entry.path();
        const bool folder = std::filesystem::exists(path / "config.json", error);
        if (!folder && path.extension() != ".gguf") continue;
        if (std::any_of(all.begin(), all.end(),
                        [&](const Known& known) { return known.path == path; }))
            continue;
        int64_t size = 0;
        if (!folder) size = static_cast<int64_t>(std::filesystem::file_size(path, error));
        all.push_back({path.filename().string(), "", "", "", path, size, true});
    }
    std::sort(all.begin() + static_cast<int64_t>(catalogued), all.end(),
              [](const Known& a, const Known& b) { return a.name < b.name; });
}

std::string megabytes(int64_t bytes) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(0) << static_cast<double>(bytes) / 1e6 << " MB";
    return bytes ? text.str() : "";
}

Status models(const Options& options) {
    LOCKSTEP_ASSIGN(const std::vector<CatalogueModel> catalogue,
                    read_catalogue(data_file("models.json")));
    std::vector<Known> all = catalogue_models(catalogue);
    add_own_models(all);
    OrderedJson json = OrderedJson::array();
    size_t widest = 0;
    for (const Known& model : all) widest = std::max(widest, model.name.size());
    for (const Known& model : all) {
        std::cout << std::left << std::setw(static_cast<int>(widest) + 2) << model.name
                  << std::right << std::setw(8) << megabytes(model.size) << "  " << std::left
                  << std::setw(12) << (model.licence.empty() ? "-" : model.licence)
                  << (model.present ? model.path.string() : "not here: ./lockstep fetches it")
                  << '\n';
        json.push_back({{"name", model.name},
                        {"title", model.title},
                        {"file", model.path.string()},
                        {"present", model.present},
                        {"size", model.size},
                        {"licence", model.licence},
                        {"description", model.description}});
    }
    return options.has("json") ? write_json(options.text("json"), json, 1) : Status();
}

}  // namespace

int run_models(int argc, char** argv) {
    return run_word(models_options(), argc, argv, models);
}

}  // namespace lockstep::app
