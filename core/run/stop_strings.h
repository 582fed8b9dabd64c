// SPDX-License-Identifier: GPL-3.0-or-later
// Ends a streamed text where one of some strings has come up, however it was cut into pieces. Only
// text that could still become a stop string is held back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class StopStrings {
  public:
    // Empty strings stop nothing.
    explicit StopStrings(std::vector<std::string> strings);

    // Returns the text that is certain now to come before any stop string. The stop string that is
    // complete first counts (of those complete at once, the longest); from its first byte on,
    // nothing is given out any more.
    std::string push(std::string_view text);
    bool stopped() const { return stopped_; }
    // At the end: what was held back and never became a stop string.
    std::string finish();

  private:
    // One stop string being looked for (Knuth, Morris, Pratt).
    struct Search {
        std::string string;
        std::vector<size_t> border;  // [n]: longest border of the first n bytes
        size_t matched = 0;          // bytes of `string` that the text ends with

        explicit Search(std::string text);
        void feed(char byte);
        bool complete() const { return matched == string.size(); }
    };
    size_t matched() const;  // of the search that is furthest

    std::vector<Search> searches_;
    std::string held_;
    bool stopped_ = false;
};

}  // namespace lockstep
