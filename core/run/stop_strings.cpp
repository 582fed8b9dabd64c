// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/stop_strings.h"

#include <algorithm>
#include <utility>

namespace lockstep {

StopStrings::Search::Search(std::string text)
    : string(std::move(text)), border(string.size() + 1, 0) {
    for (size_t n = 1, k = 0; n < string.size(); ++n) {
        while (k > 0 && string[n] != string[k]) k = border[k];
        if (string[n] == string[k]) ++k;
        border[n + 1] = k;
    }
}

void StopStrings::Search::feed(char byte) {
    while (matched > 0 && string[matched] != byte) matched = border[matched];
    if (string[matched] == byte) ++matched;
}

StopStrings::StopStrings(std::vector<std::string> strings) {
    for (std::string& string : strings)
        if (!string.empty()) searches_.emplace_back(std::move(string));
}

std::string StopStrings::push(std::string_view text) {
    if (stopped_) return {};
    for (const char byte : text) {
        held_ += byte;
        size_t found = 0;
        for (Search& search : searches_) {
            search.feed(byte);
            if (search.complete()) found = std::max(found, search.string.size());
        }
        if (found == 0) continue;
        stopped_ = true;
        held_.resize(held_.size() - found);
        return std::exchange(held_, {});
    }
    std::string certain = held_.substr(0, held_.size() - matched());
    held_.erase(0, certain.size());
    return certain;
}

std::string StopStrings::finish() {
    return std::exchange(held_, {});
}

size_t StopStrings::matched() const {
    size_t most = 0;
    for (const Search& search : searches_) most = std::max(most, search.matched);
    return most;
}

}  // namespace lockstep
