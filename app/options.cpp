// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lockstep::app {
namespace {

constexpr size_t help_column = 28;

std::string spelled(const Option& option) {
    std::string text = "--";
    text += option.name;
    if (!option.value.empty()) text += ' ' + option.value;
    return text;
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
    const auto refuse = [&](std::string what) {
        what += "; see lockstep " + word_ + " --help";
        return fail(ErrorKind::invalid_argument, std::move(what));
    };
    for (int i = 0; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "-h") {
            values_["help"];
            continue;
        }
        if (!argument.starts_with("--")) return refuse('"' + argument + "\" is not an option");
        const size_t equals = argument.find('=');
        const std::string name = argument.substr(2, equals == argument.npos ? equals : equals - 2);
        const Option* option = find(name);
        if (!option) return refuse("there is no option --" + name);
        const bool is_switch = option->value.empty(), has_value = equals != argument.npos;
        if (is_switch && has_value) return refuse(spelled(*option) + " takes no value");
        if (is_switch) {
            values_[name];
        } else if (has_value) {
            values_[name].push_back(argument.substr(equals + 1));
        } else if (i + 1 < argc) {
            values_[name].emplace_back(argv[++i]);
        } else {
            return refuse(spelled(*option) + ": the value is missing");
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
