// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/value.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/text/jinja/loop_state.h"
#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {
namespace {

std::string text_key(std::string_view text) {
    return std::string(1, 's').append(text);
}

std::string number_key(char kind, int64_t number) {
    return std::string(1, kind).append(std::to_string(number));
}

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
    if (a.entries.size() != b.entries.size()) return false;
    return std::all_of(a.entries.begin(), a.entries.end(), [&b](const auto& entry) {
        const Value* other = b.find(entry.first);
        return other && equal(entry.second, *other);
    });
}

}  // namespace

void Extent::hold(const Extent& inner) {
    constexpr int64_t most = int64_t{1} << 40;
    depth = std::max(depth, inner.depth + 1);
    weight = std::min(weight + inner.weight, most);
    input = input || inner.input;
}

const Value* Dict::find(const Value& key) const {
    const auto hash = key.hash_key();
    if (!hash) return nullptr;
    const auto found = index.find(*hash);
    return found == index.end() ? nullptr : &entries[found->second].second;
}

const Value* Dict::find(std::string_view key) const {
    const auto found = index.find(text_key(key));
    return found == index.end() ? nullptr : &entries[found->second].second;
}

void Dict::set(const std::string& hash_key, Value key, Value value) {
    extent.hold(key.extent());
    extent.hold(value.extent());
    const auto [at, added] = index.try_emplace(hash_key, entries.size());
    if (added)
        entries.emplace_back(std::move(key), std::move(value));
    else
        entries[at->second].second = std::move(value);
}

Value* Namespace::find(std::string_view name) {
    for (auto& [key, value] : attributes)
        if (key == name) return &value;
    return nullptr;
}

Value Value::undefined(std::string why) {
    return Value(Data(Undefined{std::make_shared<const std::string>(std::move(why))}));
}

Value Value::text(Text text) {
    return Value(Data(std::make_shared<const Text>(std::move(text))));
}

Value Value::sequence(std::vector<Value> items, Sequence::Form form) {
    Sequence sequence{form, std::move(items), {}};
    for (const Value& item : sequence.items) sequence.extent.hold(item.extent());
    return Value(Data(std::make_shared<const Sequence>(std::move(sequence))));
}

Value Value::dict(Dict dict) {
    return Value(Data(std::make_shared<const Dict>(std::move(dict))));
}

const std::string& Value::why_undefined() const {
    static const std::string nothing = "the value is undefined";
    const auto& why = std::get<Undefined>(data_).why;
    return why ? *why : nothing;
}

double Value::as_real() const {
    if (is_real()) return std::get<double>(data_);
    return static_cast<double>(as_integer().value_or(0));
}

std::optional<int64_t> Value::as_integer() const {
    if (is_boolean()) return std::get<bool>(data_) ? 1 : 0;
    if (is_integer()) return std::get<int64_t>(data_);
    return std::nullopt;
}

bool Value::truth() const {
    if (is_undefined() || is_none()) return false;
    if (is_number()) return as_real() != 0;
    if (is_text()) return !as_text().empty();
    if (is_dict()) return !as_dict().entries.empty();
    if (is_sequence()) return as_sequence().form == Sequence::Form::generator || !items().empty();
    return true;
}

Extent Value::extent() const {
    if (is_text())
        return {0, 1 + static_cast<int64_t>(as_text().size() / 64), as_text().has_input()};
    if (is_sequence()) return as_sequence().extent;
    if (is_dict()) return as_dict().extent;
    if (const auto callable = as_callable()) return callable->extent;
    const auto loop = as_loop();
    return loop ? loop->sequence.extent() : Extent{};
}

std::string_view Value::type_name() const {
    if (is_undefined()) return "Undefined";
    if (is_none()) return "NoneType";
    if (is_boolean()) return "bool";
    if (is_integer()) return "int";
    if (is_real()) return "float";
    if (is_text()) return "str";
    if (is_dict()) return "dict";
    if (is_form(Sequence::Form::list)) return "list";
    if (is_form(Sequence::Form::tuple)) return "tuple";
    if (is_sequence()) return "generator";
    if (as_namespace()) return "Namespace";
    return as_loop() ? "LoopContext" : "function";
}

std::optional<std::string> Value::hash_key() const {
    if (is_text()) return text_key(bytes());
    if (is_none()) return "n";
    if (const auto integer = as_integer()) return number_key('i', *integer);
    if (is_real()) {
        const double real = as_real();
        const bool whole = std::floor(real) == real && std::abs(real) < 0x1p63;
        return whole ? number_key('i', static_cast<int64_t>(real))
                     : number_key('r', std::bit_cast<int64_t>(real));
    }
    constexpr int64_t heaviest = 10000;
    if (!is_form(Sequence::Form::tuple) || extent().weight > heaviest) return std::nullopt;
    std::string key = "t";
    for (const Value& item : items()) {
        const auto part = item.hash_key();
        if (!part) return std::nullopt;
        key.append(std::to_string(part->size())).append(1, ':').append(*part);
    }
    return key;
}

bool equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) {
        const auto left = a.as_integer(), right = b.as_integer();
        return left && right ? *left == *right : a.as_real() == b.as_real();
    }
    if (a.is_text() && b.is_text()) return a.bytes() == b.bytes();
    if (a.is_sequence() && b.is_sequence())
        return a.as_sequence().form == b.as_sequence().form && equal_items(a.items(), b.items());
    if (a.is_dict() && b.is_dict()) return equal_dicts(a.as_dict(), b.as_dict());
    if (a.is_none() || a.is_undefined())
        return a.is_none() == b.is_none() && a.is_undefined() == b.is_undefined();
    if (const auto names = a.as_namespace()) return names == b.as_namespace();
    if (const auto callable = a.as_callable()) return callable == b.as_callable();
    return a.as_loop() && a.as_loop() == b.as_loop();
}

}  // namespace lockstep::jinja
