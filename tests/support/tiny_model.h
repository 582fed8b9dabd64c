// SPDX-License-Identifier: GPL-3.0-or-later
// Tiny random models, made from a recipe and a seed: in memory, or written as a Hugging Face
// folder. The weights are those of tests/golden/model/make_tiny.py, so that transformers' results
// stand beside them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/model/random_model.h"

namespace lockstep::test {

using TinyRecipe = RandomModelSpec;

// Of tests/, here or in the folder that LOCKSTEP_TESTS names, where the tests were carried to.
std::filesystem::path tests_file(const std::string& name);

// tests/golden/model/tiny_recipes.json
Result<std::vector<TinyRecipe>> read_tiny_recipes();
// A Llama (GQA ratio 3) whose vocabulary is the 256 bytes and three control tokens: 256
// <|endoftext|>, 257 <|im_start|>, 258 <|im_end|>.
TinyRecipe byte_recipe();

// Without a tokenizer. dtype: of the weights; their values are bf16 numbers in any case.
std::shared_ptr<Model> make_tiny_model(const TinyRecipe& recipe, DType dtype);

// config.json, model.safetensors (BF16) and the tokenizer of byte_recipe()'s vocabulary, with a
// ChatML template. The folder is made; false where it cannot be written.
bool write_tiny_model(const TinyRecipe& recipe, const std::filesystem::path& folder);

}  // namespace lockstep::test
