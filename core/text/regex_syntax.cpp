// SPDX-License-Identifier: GPL-3.0-or-later
// Oniguruma's pattern language in PCRE2's words.
#include <algorithm>
#include <array>
#include <cctype>

#include "core/text/regex.h"

namespace lockstep {
namespace {

// What a class holds, as it is written inside brackets: PCRE2's own property, and what Unicode 15
// and 16 added to it. A PCRE2 that knows them already reads them twice, which does no harm.
struct ClassName {
    std::string_view name;
    std::string_view members;
};

constexpr std::array<ClassName, 6> properties = {{
    {"L", R"(\p{L}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3})"
          R"(\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240})"
          R"(\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3})"
          R"(\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f})"
          R"(\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff})"
          R"(\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb})"
          R"(\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {"N", R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"
          R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3})"
          R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {"Nd", R"(\p{Nd}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"
           R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1e4f0}-\x{1e4f9})"
           R"(\x{1e5f1}-\x{1e5fa})"},
    {"M", R"(\p{M}\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241})"
          R"(\x{113b8}-\x{113c0}\x{113c2}\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0}\x{113d2})"
          R"(\x{113e1}-\x{113e2}\x{11f00}-\x{11f01}\x{11f03}\x{11f34}-\x{11f3a}\x{11f3e}-\x{11f42})"
          R"(\x{11f5a}\x{13440}\x{13447}-\x{13455}\x{1611e}-\x{1612f}\x{1e08f}\x{1e4ec}-\x{1e4ef})"
          R"(\x{1e5ee}-\x{1e5ef})"},
    {"P", R"(\p{P}\x{1b4e}-\x{1b4f}\x{1b7f}\x{10d6e}\x{113d4}-\x{113d5}\x{113d7}-\x{113d8})"
          R"(\x{11b00}-\x{11b09}\x{11be1}\x{11f43}-\x{11f4f}\x{16d6d}-\x{16d6f}\x{1e5ff})"},
    {"S",
     R"(\p{S}\x{2427}-\x{2429}\x{2ffc}-\x{2fff}\x{31e4}-\x{31e5}\x{31ef}\x{10d8e}-\x{10d8f})"
     R"(\x{1cc00}-\x{1ccef}\x{1cd00}-\x{1ceb3}\x{1f6dc}\x{1f774}-\x{1f776}\x{1f77b}-\x{1f77f})"
     R"(\x{1f7d9}\x{1f8b2}-\x{1f8bb}\x{1f8c0}-\x{1f8c1}\x{1fa75}-\x{1fa77}\x{1fa87}-\x{1fa89})"
     R"(\x{1fa8f}\x{1faad}-\x{1faaf}\x{1fabb}-\x{1fabf}\x{1fac6}\x{1face}-\x{1facf})"
     R"(\x{1fada}-\x{1fadc}\x{1fadf}\x{1fae8}-\x{1fae9}\x{1faf7}-\x{1faf8}\x{1fbcb}-\x{1fbef})"},
}};

constexpr std::string_view white_space =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
// Of the superscripts and fractions, Oniguruma counts those of Latin-1 as parts of words.
constexpr std::string_view word = R"(\p{Alphabetic}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

std::string_view property_members(std::string_view name) {
    for (const ClassName& property : properties)
        if (property.name == name) return property.members;
    return {};
}

std::string word_members() {
    std::string members(word);
    for (const char* name : {"L", "M", "Nd"}) members += property_members(name);
    return members;
}

class Translator {
  public:
    explicit Translator(std::string_view source) : source_(source) {}

    Result<std::string> run() {
        while (at_ < source_.size()) LOCKSTEP_TRY(in_class_ ? class_item() : item());
        return std::move(result_);
    }

  private:
    Status item() {
        if (source_[at_] == '\\') return escape();
        if (source_[at_] != '[') return copy(1);
        in_class_ = true;
        // "[^" and a bracket that comes first belong to the opening.
        size_t length = 1;
        if (source_.substr(at_ + length, 1) == "^") ++length;
        if (source_.substr(at_ + length, 1) == "]") ++length;
        return copy(length);
    }

    Status class_item() {
        if (source_[at_] == '\\') return escape();
        if (source_.substr(at_, 2) == "&&")
            return fail(ErrorKind::unsupported, "intersections of character classes (&&)");
        if (source_[at_] == '[')
            return fail(ErrorKind::unsupported, "a character class inside a character class");
        if (source_[at_] == ']') in_class_ = false;
        return copy(1);
    }

    Status escape() {
        const char letter = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
        switch (letter) {
            case 's':
            case 'S':
                return put_class(white_space, letter == 'S', 2);
            case 'w':
            case 'W':
                return put_class(word_members(), letter == 'W', 2);
            case 'd':
            case 'D':
                return put_class(property_members("Nd"), letter == 'D', 2);
            case 'h':
                return put_class("0-9A-Fa-f", false, 2);
            case 'u':
                return put_code_point();
            case 'p':
            case 'P':
                return property(letter == 'P');
            default:
                return copy(2);
        }
    }

    Status property(bool negated) {
        const size_t close = source_.find('}', at_);
        if (source_.substr(at_ + 2, 1) != "{" || close == std::string_view::npos)
            return fail(ErrorKind::invalid_file, "\\p without {name}");
        std::string_view name = source_.substr(at_ + 3, close - at_ - 3);
        const size_t length = close + 1 - at_;
        if (!name.empty() && name.front() == '^') {
            name.remove_prefix(1);
            negated = !negated;
        }
        const std::string_view members = property_members(name);
        return members.empty() ? copy(length) : put_class(members, negated, length);
    }

    // \u00e9
    Status put_code_point() {
        constexpr size_t digits = 4;
        const std::string_view number = source_.substr(at_ + 2, digits);
        const bool hex = std::all_of(number.begin(), number.end(), [](char digit) {
            return std::isxdigit(static_cast<uint8_t>(digit)) != 0;
        });
        if (number.size() != digits || !hex)
            return fail(ErrorKind::invalid_file, "\\u without four hexadecimal digits");
        result_.append("\\x{").append(number).append("}");
        at_ += 2 + digits;
        return {};
    }

    // `length` bytes of the source mean these members.
    Status put_class(std::string_view members, bool negated, size_t length) {
        // A negated class inside brackets cannot be spelled out; PCRE2's own is the same but for
        // the characters that are new since Unicode 14 and U+180E.
        if (in_class_ && negated) return copy(length);
        if (!in_class_) result_ += negated ? "[^" : "[";
        result_ += members;
        if (!in_class_) result_ += ']';
        at_ += length;
        return {};
    }

    Status copy(size_t length) {
        result_ += source_.substr(at_, length);
        at_ += length;
        return {};
    }

    std::string_view source_;
    size_t at_ = 0;
    bool in_class_ = false;
    std::string result_;
};

}  // namespace

Result<std::string> pcre2_pattern(std::string_view oniguruma) {
    return Translator(oniguruma).run();
}

}  // namespace lockstep
