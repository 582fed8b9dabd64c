// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf.h"

#include <bit>
#include <cstring>

#include "core/model/gguf_tensors.h"

namespace lockstep {

bool GgufFile::is_gguf(const std::filesystem::path& path) {
    const auto file = MappedFile::open(path);
    return file && file->text().starts_with("GGUF");
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
    GgufFile gguf;
    LOCKSTEP_ASSIGN(gguf.file_, MappedFile::open(path));
    GgufReader reader(gguf.file_.bytes(), 0, path.string());
    LOCKSTEP_ASSIGN(const auto magic, reader.take(4, "the magic number"));
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
        return fail(ErrorKind::invalid_file,
                    path.string() + ": not a GGUF file (it does not begin with \"GGUF\")");
    }
    LOCKSTEP_ASSIGN(const auto version, reader.read<uint32_t>("the version"));
    if (version != 2 && version != 3) {
        const bool big_endian = (version & 0xffffu) == 0 && version != 0;
        return reader.fail(big_endian ? "big-endian GGUF is not supported"
                                      : "GGUF version " + std::to_string(version) +
                                            " is not supported; supported: 2, 3",
                           ErrorKind::unsupported);
    }
    LOCKSTEP_ASSIGN(gguf.tensor_count_, reader.read<uint64_t>("the number of tensors"));
    LOCKSTEP_ASSIGN(const auto metadata_count,
                    reader.read<uint64_t>("the number of metadata keys"));
    if (gguf.tensor_count_ > max_gguf_tensors || gguf.tensor_count_ > reader.remaining() / 24) {
        return reader.fail("the header announces " + std::to_string(gguf.tensor_count_) +
                           " tensors, more than the file can hold");
    }
    LOCKSTEP_ASSIGN(gguf.metadata_, GgufMetadata::read(reader, metadata_count, path));
    gguf.tensors_at_ = reader.at();
    return gguf;
}

Result<std::vector<StoredTensor>> GgufFile::read_tensors() const {
    const char* key = "general.alignment";
    LOCKSTEP_ASSIGN(const int64_t alignment, metadata_.integer_or(key, 32, 1, 1 << 20));
    if (!std::has_single_bit(static_cast<uint64_t>(alignment))) {
        return metadata_.error(key, std::to_string(alignment) + " is not a power of two");
    }
    const std::filesystem::path& path = metadata_.path();
    return read_gguf_tensors(GgufReader(file_.bytes(), tensors_at_, path.string()), tensor_count_,
                             static_cast<size_t>(alignment), file_.bytes(), path);
}

}  // namespace lockstep
