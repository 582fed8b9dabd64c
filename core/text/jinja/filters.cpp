// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/filters.h"

#include <algorithm>

#include "core/text/jinja/access.h"
#include "core/text/jinja/filter_tables.h"

namespace lockstep::jinja {
namespace {

Value path_part(const std::string& part) {
    const bool number = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
    return number ? Value::integer(std::stoll(part)) : Value::text(part);
}

}  // namespace

const NamedFunction* find_filter(std::string_view name) {
    for (const auto table :
         {text_filters(), number_filters(), sequence_filters(), selection_filters()}) {
        const auto found = std::find_if(table.begin(), table.end(),
                                        [name](const NamedFunction& f) { return f.name == name; });
        if (found != table.end()) return &*found;
    }
    return nullptr;
}

Result<Value> attribute_path(Runtime& runtime, const Value& item, const Value& path) {
    LOCKSTEP_TRY(runtime.step());
    if (!path.is_text()) return get_item(runtime, item, path);
    Value value = item;
    const std::string& names = path.bytes();
    for (size_t from = 0; from <= names.size();) {
        const size_t dot = std::min(names.find('.', from), names.size());
        LOCKSTEP_ASSIGN(value, get_item(runtime, value, path_part(names.substr(from, dot - from))));
        from = dot + 1;
    }
    return value;
}

}  // namespace lockstep::jinja
