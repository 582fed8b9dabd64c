// SPDX-License-Identifier: GPL-3.0-or-later
// Which word runs what. Nothing else happens here.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "app/window.h"
#include "app/words.h"
#include "kernels/user/child_main.h"

namespace lockstep::app {
namespace {

struct Word {
    std::string_view name;
    int (*run)(int argc, char** argv);
    std::string_view what;
};

constexpr Word words[] = {
    {"chat", run_chat, "stream an answer to the terminal"},
    {"tokenize", run_tokenize, "text to token ids"},
    {"bench", run_bench, "decode and prefill against the memory's bandwidth"},
    {"models", run_models, "the models that are known, and where they lie"},
    {"compare", run_compare, "whether two paths compute the same, and where they first part"},
    {"trace", run_trace, "every step's outputs of a run, written to a file"},
};

void print_usage() {
    std::cout << "Usage: lockstep [WORD] [options]   or   lockstep MODEL\n\n"
                 "Without a word: opens the window; a chat in the terminal where there is no "
                 "display.\n\n";
    for (const Word& word : words) {
        const std::string gap(12 - word.name.size(), ' ');
        std::cout << "  " << word.name << gap << word.what << '\n';
    }
    std::cout << '\n' << window_options().help();
    std::cout << "\nlockstep WORD --help tells a word's options. Exit status: 0, or 2 on wrong "
                 "usage or input.\n";
}

bool has_display() {
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
        if (value && *value) return true;
    }
    return false;
}

int open_window_or_terminal(int argc, char** argv) {
    Options options = window_options();
    const Result<WindowArguments> arguments = window_arguments(argc, argv, options);
    if (!arguments) {
        std::cerr << "lockstep: " << arguments.error().message << '\n';
        return 2;
    }
    if (!has_display()) return run_chat_without_display(arguments->model, arguments->device);
    return run_window(argc, argv, *arguments);
}

int run(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (first == "-h" || first == "--help" || first == "help") {
        print_usage();
        return 0;
    }
    if (first == kernel_child_word) return kernel_child_main();  // not for people
    for (const Word& word : words) {
        if (first == word.name) return word.run(argc - 2, argv + 2);
    }
    std::error_code error;
    if (first.empty() || first.starts_with("--") || std::filesystem::exists(first, error))
        return open_window_or_terminal(argc, argv);
    std::cerr << "lockstep: there is no word or file \"" << first << "\"; see lockstep --help\n";
    return 2;
}

}  // namespace
}  // namespace lockstep::app

int main(int argc, char** argv) {
    // A file that grows over the user's limit is an error of write(), not the end of the program.
    std::signal(SIGXFSZ, SIG_IGN);
    return lockstep::app::run(argc, argv);
}
