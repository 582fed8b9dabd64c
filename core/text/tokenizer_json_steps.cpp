// SPDX-License-Identifier: GPL-3.0-or-later
// The sections "normalizer", "pre_tokenizer" and "decoder".
#include <array>

#include "core/text/tokenizer_json.h"

namespace lockstep {
namespace {

constexpr int64_t max_strip = 1 << 20;

Result<NormalizerStep> normalizer_step(const JsonObject& step, const std::string& type) {
    if (type == "NFC") return UnicodeFormStep{true, false};
    if (type == "NFD") return UnicodeFormStep{false, false};
    if (type == "NFKC") return UnicodeFormStep{true, true};
    if (type == "NFKD") return UnicodeFormStep{false, true};
    if (type == "Prepend") {
        LOCKSTEP_ASSIGN(std::string prefix, step.string("prepend"));
        return PrependStep{std::move(prefix)};
    }
    if (type == "Replace") {
        LOCKSTEP_ASSIGN(Regex pattern, parse_pattern(step));
        LOCKSTEP_ASSIGN(std::string content, step.string("content"));
        return ReplaceStep{std::move(pattern), std::move(content)};
    }
    return unknown_step(step, type, "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence");
}

Result<SplitBehavior> split_behavior(const JsonObject& step) {
    constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> names = {{
        {"Isolated", SplitBehavior::isolated},
        {"Removed", SplitBehavior::removed},
        {"Contiguous", SplitBehavior::contiguous},
        {"MergedWithPrevious", SplitBehavior::merged_with_previous},
        {"MergedWithNext", SplitBehavior::merged_with_next},
    }};
    LOCKSTEP_ASSIGN(const std::string behavior, step.string("behavior"));
    for (const auto& [name, value] : names)
        if (name == behavior) return value;
    return step.error("behavior", "\"" + behavior + "\" is not a way to split",
                      ErrorKind::unsupported);
}

// Older files say only add_prefix_space.
Result<MetaspaceStep::Prepend> prepend_scheme(const JsonObject& step) {
    using Prepend = MetaspaceStep::Prepend;
    LOCKSTEP_ASSIGN(const bool prefix, step.boolean_or("add_prefix_space", true));
    LOCKSTEP_ASSIGN(const std::string scheme,
                    step.string_or("prepend_scheme", prefix ? "always" : "never"));
    if (scheme == "always") return Prepend::always;
    if (scheme == "first") return Prepend::first;
    if (scheme == "never") return Prepend::never;
    return step.error("prepend_scheme",
                      "\"" + scheme + "\" is not \"always\", \"first\" or \"never\"");
}

Result<std::string> metaspace_replacement(const JsonObject& step) {
    LOCKSTEP_ASSIGN(std::string replacement, step.string("replacement"));
    if (replacement.empty()) return step.error("replacement", "is empty");
    return replacement;
}

Result<PreTokenizerStep> metaspace_step(const JsonObject& step) {
    MetaspaceStep metaspace;
    LOCKSTEP_ASSIGN(metaspace.replacement, metaspace_replacement(step));
    LOCKSTEP_ASSIGN(metaspace.prepend, prepend_scheme(step));
    LOCKSTEP_ASSIGN(metaspace.split, step.boolean_or("split", true));
    return metaspace;
}

Result<PreTokenizerStep> split_step(const JsonObject& step) {
    LOCKSTEP_ASSIGN(Regex regex, parse_pattern(step));
    LOCKSTEP_ASSIGN(const SplitBehavior behavior, split_behavior(step));
    LOCKSTEP_ASSIGN(const bool invert, step.boolean_or("invert", false));
    return SplitStep{std::move(regex), behavior, invert};
}

// ByteLevel is a space in front, a split, and the change into GPT-2's alphabet, which we leave out.
Status add_byte_level(const JsonObject& step, std::vector<PreTokenizerStep>& steps) {
    LOCKSTEP_ASSIGN(const bool prefix, step.boolean_or("add_prefix_space", true));
    LOCKSTEP_ASSIGN(const bool use_regex, step.boolean_or("use_regex", true));
    if (prefix) steps.emplace_back(PrefixSpaceStep{});
    if (!use_regex) return {};
    LOCKSTEP_ASSIGN(PreTokenizerStep split, gpt2_split());
    steps.push_back(std::move(split));
    return {};
}

Result<PreTokenizerStep> pre_tokenizer_step(const JsonObject& step, const std::string& type) {
    if (type == "Split") return split_step(step);
    if (type == "Metaspace") return metaspace_step(step);
    if (type == "Digits") {
        LOCKSTEP_ASSIGN(const bool individual, step.boolean_or("individual_digits", false));
        return digits_split(individual);
    }
    return unknown_step(step, type, "ByteLevel, Digits, Metaspace, Sequence, Split");
}

Result<DecodeStep> decode_step(const JsonObject& step, const std::string& type) {
    if (type == "ByteLevel") return ByteLevelDecodeStep{};
    if (type == "ByteFallback") return ByteFallbackStep{};
    if (type == "Fuse") return FuseStep{};
    if (type == "Replace") {
        LOCKSTEP_ASSIGN(Regex pattern, parse_pattern(step));
        LOCKSTEP_ASSIGN(std::string content, step.string("content"));
        return ReplaceDecodeStep{std::move(pattern), std::move(content)};
    }
    if (type == "Strip") {
        LOCKSTEP_ASSIGN(std::string character, step.string("content"));
        if (character.empty()) return step.error("content", "is empty");
        LOCKSTEP_ASSIGN(const int64_t start, step.integer("start", 0, max_strip));
        LOCKSTEP_ASSIGN(const int64_t stop, step.integer("stop", 0, max_strip));
        return StripStep{std::move(character), static_cast<size_t>(start),
                         static_cast<size_t>(stop)};
    }
    if (type == "Metaspace") {
        LOCKSTEP_ASSIGN(std::string replacement, metaspace_replacement(step));
        LOCKSTEP_ASSIGN(const MetaspaceStep::Prepend prepend, prepend_scheme(step));
        return MetaspaceDecodeStep{std::move(replacement),
                                   prepend != MetaspaceStep::Prepend::never};
    }
    return unknown_step(step, type,
                        "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip");
}

Status run_step_reader(const JsonObject& object, std::string_view sequence_key,
                       const StepReader& read) {
    LOCKSTEP_ASSIGN(const std::string type, object.string("type"));
    if (type != "Sequence") return read(object, type);
    LOCKSTEP_ASSIGN(const Json* steps, object.array(sequence_key));
    for (size_t i = 0; i < steps->size(); ++i) {
        const std::string where = nth(object.where(sequence_key), i);
        LOCKSTEP_ASSIGN(const JsonObject step, JsonObject::of((*steps)[i], where));
        LOCKSTEP_TRY(run_step_reader(step, sequence_key, read));
    }
    return {};
}

}  // namespace

Status for_each_step(const JsonObject& root, std::string_view section,
                     std::string_view sequence_key, const StepReader& read) {
    if (!root.has(section)) return {};
    LOCKSTEP_ASSIGN(const JsonObject object, root.object(section));
    return run_step_reader(object, sequence_key, read);
}

std::string nth(std::string where, size_t index) {
    return where.append("[").append(std::to_string(index)).append("]");
}

Result<Regex> parse_pattern(const JsonObject& step) {
    LOCKSTEP_ASSIGN(const JsonObject pattern, step.object("pattern"));
    const bool is_regex = pattern.has("Regex");
    LOCKSTEP_ASSIGN(const std::string text, pattern.string(is_regex ? "Regex" : "String"));
    if (text.empty()) return step.error("pattern", "is empty");
    auto regex = is_regex ? Regex::compile(text) : Regex::literal(text);
    if (!regex) return step.error("pattern", regex.error().message, regex.error().kind);
    return regex;
}

tl::unexpected<Error> unknown_step(const JsonObject& step, std::string_view type,
                                   std::string_view supported) {
    std::string what = "\"";
    what.append(type.substr(0, 100)).append("\" is not supported; these are: ").append(supported);
    return step.error("type", what, ErrorKind::unsupported);
}

Result<Normalizer> parse_normalizer(const JsonObject& root) {
    std::vector<NormalizerStep> steps;
    LOCKSTEP_TRY(for_each_step(root, "normalizer", "normalizers",
                               [&](const JsonObject& step, const std::string& type) -> Status {
                                   LOCKSTEP_ASSIGN(NormalizerStep parsed,
                                                   normalizer_step(step, type));
                                   steps.push_back(std::move(parsed));
                                   return {};
                               }));
    return Normalizer(std::move(steps));
}

Result<ParsedPreTokenizer> parse_pre_tokenizer(const JsonObject& root) {
    std::vector<PreTokenizerStep> steps;
    bool byte_level = false;
    const auto add = [&](const JsonObject& step, const std::string& type) -> Status {
        if (byte_level)
            return step.error("type", "\"" + type + "\" behind ByteLevel", ErrorKind::unsupported);
        byte_level = type == "ByteLevel";
        if (byte_level) return add_byte_level(step, steps);
        LOCKSTEP_ASSIGN(PreTokenizerStep parsed, pre_tokenizer_step(step, type));
        steps.push_back(std::move(parsed));
        return {};
    };
    LOCKSTEP_TRY(for_each_step(root, "pre_tokenizer", "pretokenizers", add));
    return ParsedPreTokenizer{PreTokenizer(std::move(steps)), byte_level};
}

Result<TokenDecoder> parse_decoder(const JsonObject& root) {
    std::vector<DecodeStep> steps;
    LOCKSTEP_TRY(for_each_step(root, "decoder", "decoders",
                               [&](const JsonObject& step, const std::string& type) -> Status {
                                   LOCKSTEP_ASSIGN(DecodeStep parsed, decode_step(step, type));
                                   steps.push_back(std::move(parsed));
                                   return {};
                               }));
    return TokenDecoder(std::move(steps));
}

}  // namespace lockstep
