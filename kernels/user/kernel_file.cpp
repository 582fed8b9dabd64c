// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/kernel_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace lockstep {
namespace {

#ifndef MFD_EXEC
constexpr unsigned MFD_EXEC = 0x10;  // Linux 6.3: this one is meant to be executed
#endif

struct Machine {
    uint16_t number;
    const char* name;
};
constexpr Machine machines[] = {
    {EM_X86_64, "x86-64"},  {EM_386, "32-bit x86"}, {EM_AARCH64, "ARM64"},
    {EM_ARM, "32-bit ARM"}, {EM_RISCV, "RISC-V"},   {EM_PPC64, "POWER"},
};

std::string machine_name(uint16_t number) {
    for (const Machine& machine : machines) {
        if (machine.number == number) return machine.name;
    }
    return "machine type " + std::to_string(number);
}

// What this program itself was built for.
std::optional<Elf64_Ehdr> own_header() {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    Elf64_Ehdr header;
    if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return std::nullopt;
    return header;
}

Status check_header(const std::string& bytes) {
    const auto invalid = [](std::string what) {
        return fail(ErrorKind::invalid_file, std::move(what));
    };
    if (bytes.empty()) return invalid("the file is empty");
    if (!bytes.starts_with(ELFMAG))
        return invalid("not a shared object: build it with -shared -fPIC");
    Elf64_Ehdr header{};
    if (bytes.size() < sizeof header) return invalid("the shared object is cut short");
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto own = own_header();
    if (own &&
        (header.e_ident[EI_CLASS] != own->e_ident[EI_CLASS] ||
         header.e_ident[EI_DATA] != own->e_ident[EI_DATA] || header.e_machine != own->e_machine)) {
        return invalid("built for " + machine_name(header.e_machine) + ", but this machine is " +
                       machine_name(own->e_machine));
    }
    if (header.e_type != ET_DYN) {
        return invalid("an object file or a program, not a shared object: link it with -shared");
    }
    return {};
}

// Every segment lies in the file: the loader maps them without asking, and would be killed.
Status check_segments(const std::string& bytes) {
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto cut = fail(ErrorKind::invalid_file,
                          "the shared object is cut short (is it still being written?)");
    const uint64_t size = bytes.size();
    const uint64_t table = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > size ||
        table > size - header.e_phoff)
        return cut;
    for (uint16_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) return cut;
    }
    return {};
}

Result<std::string> read_bytes(const std::filesystem::path& path) {
    const auto failed = [](int error) {
        return fail(ErrorKind::io, "could not be read: " + std::string(std::strerror(error)));
    };
    const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0) return failed(errno);
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid_file, "not a file");
    std::string bytes(static_cast<size_t>(status.st_size), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno != EINTR) return failed(errno);
        if (got == 0) break;
        if (got > 0) done += static_cast<size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

Result<FileDescriptor> copy_in_memory(const std::string& name, const std::string& bytes) {
    const auto failed = [] {
        return fail(ErrorKind::io, "could not be copied: " + std::string(std::strerror(errno)));
    };
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    FileDescriptor copy(memfd_create(name.substr(0, 200).c_str(), flags | MFD_EXEC));
    if (!copy) copy = FileDescriptor(memfd_create(name.substr(0, 200).c_str(), flags));
    if (!copy) return failed();
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = write(copy.get(), bytes.data() + done, bytes.size() - done);
        if (put < 0 && errno != EINTR) return failed();
        if (put > 0) done += static_cast<size_t>(put);
    }
    if (fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return failed();
    return copy;
}

Result<FileDescriptor> checked_copy(const std::filesystem::path& path) {
    LOCKSTEP_ASSIGN(const std::string bytes, read_bytes(path));
    LOCKSTEP_TRY(check_header(bytes));
    LOCKSTEP_TRY(check_segments(bytes));
    return copy_in_memory(path.filename().string(), bytes);
}

}  // namespace

Result<std::shared_ptr<const KernelFile>> KernelFile::read(const std::filesystem::path& path) {
    Result<FileDescriptor> copy = checked_copy(path);
    if (!copy) return within(path.string(), std::move(copy).error());
    return std::shared_ptr<const KernelFile>(new KernelFile(path, std::move(*copy)));
}

}  // namespace lockstep
