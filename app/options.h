// SPDX-License-Identifier: GPL-3.0-or-later
// The options of a headless word. Values are kept as the bytes that the shell gave: a prompt may be
// anything, so nothing is decoded on the way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/status.h"

namespace lockstep::app {

struct Option {
    std::string name;   // "max-tokens", used as --max-tokens N or --max-tokens=N
    std::string value;  // "N"; empty for a switch
    std::string help;
};

class Options {
  public:
    // usage: what follows "lockstep WORD"; about: what the word does, for --help.
    Options(std::string word, std::string about, std::vector<Option> table);

    // Every argument after the word. -h and --help are always known.
    Status parse(int argc, char** argv);
    std::string help() const;

    bool has(const std::string& name) const { return values_.count(name) > 0; }
    std::string text(const std::string& name, const std::string& fallback = "") const;
    const std::vector<std::string>& all(const std::string& name) const;  // given several times
    // The error names the option, what was given and what is allowed.
    Result<int64_t> integer(const std::string& name, int64_t fallback, int64_t least,
                            int64_t most) const;
    Result<double> number(const std::string& name, double fallback, double least,
                          double most) const;
    Result<std::string> required(const std::string& name) const;

  private:
    const Option* find(std::string_view name) const;
    std::string word_, about_;
    std::vector<Option> table_;
    std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace lockstep::app
