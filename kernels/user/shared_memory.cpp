// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace lockstep {
namespace {

tl::unexpected<Error> no_memory() {
    return fail(ErrorKind::out_of_memory, "no memory to share with the kernel's process: " +
                                              std::string(std::strerror(errno)));
}

}  // namespace

SharedMemory::~SharedMemory() {
    if (data_) munmap(data_, bytes_);
}

void SharedMemory::swap(SharedMemory& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
}

Result<SharedMemory> SharedMemory::create(const char* name) {
    SharedMemory memory;
    memory.fd_ = FileDescriptor(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory.fd_) return no_memory();
    // Were it cut short by the other process, a look at it would kill this one.
    if (fcntl(memory.fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) return no_memory();
    return memory;
}

Status SharedMemory::grow(uint64_t bytes) {
    if (bytes <= bytes_) return {};
    if (ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) return no_memory();
    void* const mapped =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_.get(), 0);
    if (mapped == MAP_FAILED) return no_memory();
    if (data_) munmap(data_, bytes_);
    data_ = static_cast<std::byte*>(mapped);
    bytes_ = bytes;
    return {};
}

void SharedMemory::clear() {
    if (bytes_ > 0)
        fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(bytes_));
}

}  // namespace lockstep
