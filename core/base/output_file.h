// SPDX-License-Identifier: GPL-3.0-or-later
// A file that is written whole or not at all: under a temporary name in the same folder, then
// renamed. A full disk, an interruption or an error on the way leaves what was there before. What
// is not a regular file (a pipe, a device) is written to as it is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/status.h"

namespace lockstep {

class OutputFile {
  public:
    // Errors name the path and the system's reason.
    static Result<OutputFile> create(const std::filesystem::path& path);

    OutputFile(OutputFile&& other) noexcept { swap(other); }
    OutputFile& operator=(OutputFile&& other) noexcept {
        OutputFile(std::move(other)).swap(*this);
        return *this;
    }
    ~OutputFile();  // what was not committed is removed

    Status write(std::span<const std::byte> bytes);
    Status write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
    // Everything is on the disk under its own name now, or it is an error and nothing is.
    Status commit();

  private:
    OutputFile() = default;
    void swap(OutputFile& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(written_, other.written_);
        std::swap(file_, other.file_);
    }
    tl::unexpected<Error> error() const;  // of errno
    void close_file();

    std::filesystem::path path_;     // as it was given
    std::filesystem::path written_;  // the temporary name; empty where path_ itself is written to
    int file_ = -1;
};

// Whether create() is likely to succeed, so that long work is not done in vain.
Status check_writable(const std::filesystem::path& path);
// A short file at once.
Status write_whole_file(const std::filesystem::path& path, std::string_view text);

}  // namespace lockstep
