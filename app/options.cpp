// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lockstep::app {
namespace {

constexpr size_t help_column = 28;

std::string spelled(const Option& option) {
    return "--" + option.name + (option.value.empty() ? "" : " " + option.value);
}

// "1" rather than "1.000000".
std::string shown(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

template <class Number>
bool parse_all(const std::string& text, Number& value) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end && !text.empty();
}

}  // namespace

Options::Options(std::string word, std::string about, std::vector<Option> table)
    : word_(std::move(word)), about_(std::move(about)), table_(std::move(table)) {
    table_.push_back({"help", "", "this text"});
}

const Option* Options::find(std::string_view name) const {
    const auto found = std::find_if(table_.begin(), table_.end(),
                                    [&](const Option& option) { return option.name == name; });
    return found == table_.end() ? nullptr : &*found;
}

Status Options::parse(int argc, char** argv) {
    const std::string see = "; see lockstep " + word_ + " --help";
    for (int i = 0; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "-h") {
            values_["help"];
            continue;
        }
        if (!argument.starts_with("--"))
            return fail(ErrorKind::invalid_argument,
                        "\"" + std::string(argument) + "\" is not an option" + see);
        const size_t equals = argument.find('=');
        const std::string name(argument.substr(2, equals == argument.npos ? equals : equals - 2));
        const Option* option = find(name);
        if (!option) return fail(ErrorKind::invalid_argument, "there is no option --" + name + see);
        if (option->value.empty()) {
            if (equals != argument.npos)
                return fail(ErrorKind::invalid_argument, "--" + name + " takes no value" + see);
            values_[name];
        } else if (equals != argument.npos) {
            values_[name].emplace_back(argument.substr(equals + 1));
        } else if (i + 1 < argc) {
            values_[name].emplace_back(argv[++i]);
        } else {
            return fail(ErrorKind::invalid_argument,
                        "--" + name + " needs a value: " + spelled(*option) + see);
        }
    }
    return {};
}

std::string Options::help() const {
    std::string text = about_ + "\n\nOptions:\n";
    for (const Option& option : table_) {
        std::string left = "  " + spelled(option);
        left.resize(std::max(help_column, left.size() + 2), ' ');
        text += left;
        for (const char c : option.help) {
            text += c;
            if (c == '\n') text.append(help_column, ' ');
        }
        text += '\n';
    }
    return text;
}

std::string Options::text(const std::string& name, const std::string& fallback) const {
    const std::vector<std::string>& given = all(name);
    return given.empty() ? fallback : given.back();
}

const std::vector<std::string>& Options::all(const std::string& name) const {
    static const std::vector<std::string> none;
    const auto found = values_.find(name);
    return found == values_.end() ? none : found->second;
}

Result<int64_t> Options::integer(const std::string& name, int64_t fallback, int64_t least,
                                 int64_t most) const {
    int64_t value = fallback;
    if (!has(name)) return value;
    if (parse_all(text(name), value) && value >= least && value <= most) return value;
    return fail(ErrorKind::invalid_argument,
                "--" + name + " takes a whole number from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", not \"" + text(name) + "\"");
}

Result<double> Options::number(const std::string& name, double fallback, double least,
                               double most) const {
    double value = fallback;
    if (!has(name)) return value;
    if (parse_all(text(name), value) && std::isfinite(value) && value >= least && value <= most)
        return value;
    return fail(ErrorKind::invalid_argument, "--" + name + " takes a number from " + shown(least) +
                                                 " to " + shown(most) + ", not \"" + text(name) +
                                                 "\"");
}

Result<std::string> Options::required(const std::string& name) const {
    if (has(name)) return text(name);
    return fail(ErrorKind::invalid_argument,
                spelled(*find(name)) + " is needed; see lockstep " + word_ + " --help");
}

}  // namespace lockstep::app
