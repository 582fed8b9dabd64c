// SPDX-License-Identifier: GPL-3.0-or-later
// A shared object as it was when it was read: a private copy in memory. What was checked is then
// what runs, although the compiler writes the next version over the file meanwhile; and the dynamic
// loader, which knows files by name and inode, never takes the new one for the old.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "kernels/status.h"
#include "kernels/user/file_descriptor.h"

namespace lockstep {

class KernelFile {
  public:
    // Refuses what the loader should not be given: no file, no shared object, one for another
    // machine, one that is cut short.
    static Result<std::shared_ptr<const KernelFile>> read(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    std::string name() const { return path_.filename().string(); }
    int fd() const { return fd_.get(); }  // of the copy, a memfd that nobody can write to

  private:
    KernelFile(std::filesystem::path path, FileDescriptor fd)
        : path_(std::move(path)), fd_(std::move(fd)) {}
    std::filesystem::path path_;
    FileDescriptor fd_;
};

}  // namespace lockstep
