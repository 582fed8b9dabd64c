// SPDX-License-Identifier: GPL-3.0-or-later
// The models that the program knows by name (resources/models.json), and where models and the
// program's own data files are. tools/fetch_model reads the same catalogue to download one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/status.h"

namespace lockstep {

struct CatalogueModel {
    std::string name;         // "smollm2-135m-instruct", as --model takes it
    std::string title;        // for people
    std::string file;         // its name in the models folder
    std::string sha256;       // of the file, lower-case hexadecimal
    std::string licence;      // SPDX
    std::string description;  // one sentence
    int64_t size = 0;         // bytes of the file
};

Result<std::vector<CatalogueModel>> read_catalogue(const std::filesystem::path& file);

// $LOCKSTEP_MODELS, or $XDG_DATA_HOME/lockstep/models, or ~/.local/share/lockstep/models.
std::filesystem::path default_models_folder();

// A file that comes with the program ("models.json", "fetch_model"): beside the executable's
// prefix where it is installed (../share/lockstep), else in the source tree that it was built from.
std::filesystem::path data_file(const std::string& name);

}  // namespace lockstep
