// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lockstep {
namespace {

tl::unexpected<Error> system_error(const std::filesystem::path& path, const char* what, int code) {
    return fail(ErrorKind::io,
                path.string() + ": " + what + ": " + std::generic_category().message(code));
}

class FileDescriptor {
  public:
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

// The size of what is open, which must be a regular file.
Result<size_t> regular_size(int fd, const std::filesystem::path& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return system_error(path, "cannot be examined", errno);
    if (S_ISDIR(info.st_mode)) {
        return fail(ErrorKind::io, path.string() + ": is a directory, a file is needed here");
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorKind::io, path.string() + ": is not a regular file");
    }
    return static_cast<size_t>(info.st_size);
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) return system_error(path, "cannot be opened", errno);
    LOCKSTEP_ASSIGN(const size_t size, regular_size(fd.get(), path));
    MappedFile file;
    file.path_ = path;
    if (size == 0) return file;  // mmap refuses to map nothing
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) return system_error(path, "cannot be mapped", errno);
    file.data_ = static_cast<const std::byte*>(data);
    file.size_ = size;
    return file;
}

MappedFile::~MappedFile() {
    if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::will_need(size_t offset, size_t bytes) const {
    if (offset >= size_) return;
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t first = offset / page * page;
    const size_t last = bytes < size_ - offset ? offset + bytes : size_;
    ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_WILLNEED);
}

Result<std::string> read_text_file(const std::filesystem::path& path, size_t max_bytes) {
    LOCKSTEP_ASSIGN(const MappedFile file, MappedFile::open(path));
    if (file.bytes().size() > max_bytes) {
        return fail(ErrorKind::invalid_file,
                    path.string() + ": " + std::to_string(file.bytes().size()) +
                        " bytes are more than the " + std::to_string(max_bytes) + " allowed here");
    }
    return std::string(file.text());
}

bool file_exists(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
}

bool folder_exists(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
}

}  // namespace lockstep
