// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace lockstep {
namespace {

constexpr mode_t new_file_mode = 0666;  // less the user's umask
constexpr int most_tries = 100;

std::string reason() {
    return std::generic_category().message(errno);
}

tl::unexpected<Error> could_not_be_written(const std::filesystem::path& path,
                                           const std::string& why) {
    return fail(ErrorKind::io, path.string() + ": could not be written: " + why);
}

// Where a link leads, so that the link stays and the file it names is replaced.
std::filesystem::path behind_links(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) return path;
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    return error ? path : target;
}

}  // namespace

tl::unexpected<Error> OutputFile::error() const {
    return could_not_be_written(path_, reason());
}

Status check_writable(const std::filesystem::path& path) {
    const std::filesystem::path target = behind_links(path);
    std::error_code error;
    if (path.empty()) return fail(ErrorKind::io, "the output file has no name");
    if (std::filesystem::is_directory(target, error))
        return could_not_be_written(path, "it is a folder");
    if (std::filesystem::exists(target, error)) {
        if (::access(target.c_str(), W_OK) != 0) return could_not_be_written(path, reason());
        if (!std::filesystem::is_regular_file(target, error)) return {};
    }
    const std::filesystem::path folder =
        target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return could_not_be_written(path, reason());
    return {};
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
    OutputFile made;
    made.path_ = path;
    const std::filesystem::path target = behind_links(path);
    struct stat existing {};
    const bool exists = ::stat(target.c_str(), &existing) == 0;
    if (exists && S_ISDIR(existing.st_mode)) return could_not_be_written(path, "it is a folder");
    if (exists && !S_ISREG(existing.st_mode)) {
        made.file_ = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
        if (made.file_ < 0) return made.error();
        return made;
    }
    if (exists && ::access(target.c_str(), W_OK) != 0) return made.error();
    for (int attempt = 0; made.file_ < 0 && attempt < most_tries; ++attempt) {
        made.written_ = target;
        made.written_ += "." + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".part";
        made.file_ =
            ::open(made.written_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, new_file_mode);
        if (made.file_ < 0 && errno != EEXIST) break;
    }
    if (made.file_ < 0) {
        made.written_.clear();  // not ours to remove
        return made.error();
    }
    if (exists && ::fchmod(made.file_, existing.st_mode & 07777) != 0) return made.error();
    made.path_ = path;
    return made;
}

void OutputFile::close_file() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

OutputFile::~OutputFile() {
    close_file();
    if (!written_.empty()) ::unlink(written_.c_str());
}

Status OutputFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error();
        bytes = bytes.subspan(static_cast<size_t>(count));
    }
    return {};
}

Status OutputFile::commit() {
    if (written_.empty()) {
        const int closed = ::close(std::exchange(file_, -1));
        return closed == 0 ? Status() : error();
    }
    if (::fsync(file_) != 0) return error();
    if (::close(std::exchange(file_, -1)) != 0) return error();
    const std::filesystem::path target = behind_links(path_);
    if (::rename(written_.c_str(), target.c_str()) != 0) return error();
    written_.clear();
    return {};
}

Status write_whole_file(const std::filesystem::path& path, std::string_view text) {
    LOCKSTEP_ASSIGN(OutputFile file, OutputFile::create(path));
    LOCKSTEP_TRY(file.write(text));
    return file.commit();
}

}  // namespace lockstep
