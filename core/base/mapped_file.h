// SPDX-License-Identifier: GPL-3.0-or-later
// A regular file's bytes, mapped read-only. Opening never blocks (a pipe is refused) and a
// directory, a missing or an unreadable file is an error that says so and names the path.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/status.h"

namespace lockstep {

class MappedFile {
  public:
    static Result<MappedFile> open(const std::filesystem::path& path);

    MappedFile() = default;
    MappedFile(MappedFile&& other) noexcept { swap(other); }
    MappedFile& operator=(MappedFile&& other) noexcept {
        MappedFile(std::move(other)).swap(*this);
        return *this;
    }
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
    const std::filesystem::path& path() const { return path_; }

    // Asks the system to read [offset, offset + bytes) ahead; a hint, never an error.
    void will_need(size_t offset, size_t bytes) const;

  private:
    void swap(MappedFile& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }
    std::filesystem::path path_;
    const std::byte* data_ = nullptr;
    size_t size_ = 0;
};

// The whole of a small file. Larger than max_bytes is an error.
Result<std::string> read_text_file(const std::filesystem::path& path, size_t max_bytes);

// True for a regular file (through links) that exists; errors count as no.
bool file_exists(const std::filesystem::path& path);
bool folder_exists(const std::filesystem::path& path);

}  // namespace lockstep
