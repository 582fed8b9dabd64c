// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include <algorithm>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

// The characters that Unicode 9 had.
const icu::UnicodeSet* unicode_9() {
    static const icu::UnicodeSet set = [] {
        UErrorCode error = U_ZERO_ERROR;
        icu::UnicodeSet characters(icu::UnicodeString::fromUTF8("[:age=9.0:]"), error);
        characters.freeze();
        return characters;
    }();
    return &set;
}

const icu::Normalizer2* instance(const UnicodeFormStep& step) {
    UErrorCode error = U_ZERO_ERROR;
    if (step.compatibility)
        return step.compose ? icu::Normalizer2::getNFKCInstance(error)
                            : icu::Normalizer2::getNFKDInstance(error);
    return step.compose ? icu::Normalizer2::getNFCInstance(error)
                        : icu::Normalizer2::getNFDInstance(error);
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char byte) { return byte >= 0; });
}

struct Mark {
    uint8_t combining_class = 0;
    std::string_view bytes;
};

// Puts runs of combining marks into canonical order. ICU does so too, but in squared time: a
// megabyte of marks, which nobody writes but anybody can paste, took it a minute.
std::string with_sorted_marks(std::string_view text) {
    constexpr size_t harmless_run = 32;
    std::string result;
    result.reserve(text.size());
    std::vector<Mark> run;
    const auto by_class = [](const Mark& a, const Mark& b) {
        return a.combining_class < b.combining_class;
    };
    const auto end_run = [&] {
        if (run.size() > harmless_run) std::stable_sort(run.begin(), run.end(), by_class);
        for (const Mark& mark : run) result += mark.bytes;
        run.clear();
    };
    for (size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        const std::string_view bytes = text.substr(at, point.length);
        const auto value = static_cast<UChar32>(point.value);
        const uint8_t combining_class =
            point.value < 0x300 || !unicode_9()->contains(value) ? 0 : u_getCombiningClass(value);
        if (combining_class == 0) {
            end_run();
            result += bytes;
        } else {
            run.push_back({combining_class, bytes});
        }
        at += point.length;
    }
    end_run();
    return result;
}

std::string applied(const UnicodeFormStep& step, std::string text) {
    const icu::Normalizer2* form = instance(step);
    if (form == nullptr || is_ascii(text)) return text;
    text = with_sorted_marks(text);
    const icu::FilteredNormalizer2 filtered(*form, *unicode_9());
    std::string result;
    icu::StringByteSink<std::string> sink(&result, static_cast<int32_t>(text.size()));
    UErrorCode error = U_ZERO_ERROR;
    filtered.normalizeUTF8(0, text, sink, nullptr, error);
    return U_SUCCESS(error) ? result : text;
}

std::string applied(const PrependStep& step, const std::string& text) {
    return text.empty() ? text : step.prefix + text;
}

std::string applied(const ReplaceStep& step, const std::string& text) {
    std::string result;
    size_t done = 0;
    Regex::Search search(step.pattern, text);
    while (const auto match = search.next()) {
        result.append(text, done, match->first - done);
        result += step.content;
        done = match->last;
    }
    result.append(text, done);
    return result;
}

}  // namespace

std::string Normalizer::normalize(std::string_view text) const {
    std::string result(text);
    for (const NormalizerStep& step : steps_)
        result = std::visit([&](const auto& it) { return applied(it, std::move(result)); }, step);
    return result;
}

}  // namespace lockstep
