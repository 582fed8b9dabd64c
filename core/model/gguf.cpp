// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in memory");

// Far above what any model has, far below what could hurt.
constexpr uint64_t max_metadata = 1 << 16;
constexpr uint64_t max_tensors = 1 << 20;
constexpr uint64_t max_rank = 4;
constexpr uint64_t max_name = 256;

class ByteReader {
  public:
    ByteReader(std::span<const std::byte> bytes, size_t at, std::string file)
        : bytes_(bytes), at_(at), file_(std::move(file)) {}

    size_t at() const { return at_; }
    size_t remaining() const { return bytes_.size() - at_; }

    template <class T>
    Result<T> read(const char* what) {
        LOCKSTEP_ASSIGN(const auto bytes, take(sizeof(T), what));
        T value;
        std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }
    Result<std::span<const std::byte>> take(uint64_t count, const char* what) {
        if (count > remaining()) {
            return fail("the file ends inside " + std::string(what) + ": " + std::to_string(count) +
                        " bytes wanted, " + std::to_string(remaining()) + " left");
        }
        const auto taken = bytes_.subspan(at_, count);
        at_ += count;
        return taken;
    }
    Result<std::string_view> string(const char* what) {
        LOCKSTEP_ASSIGN(const auto length, read<uint64_t>(what));
        LOCKSTEP_ASSIGN(const auto bytes, take(length, what));
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    tl::unexpected<Error> fail(const std::string& what,
                               ErrorKind kind = ErrorKind::invalid_file) const {
        return lockstep::fail(kind, file_ + place_ + ": at byte " + std::to_string(at_) + ": " + what);
    }
    // The key that errors are about from now on; empty for none.
    void set_place(std::string_view key) { place_ = key.empty() ? "" : ": " + printable(key); }

  private:
    std::span<const std::byte> bytes_;
    size_t at_;
    std::string file_;
    std::string place_;
};

size_t element_size(GgufType type) {  // 0 for types without one
    switch (type) {
        case GgufType::u8:
        case GgufType::i8:
        case GgufType::boolean:
            return 1;
        case GgufType::u16:
        case GgufType::i16:
            return 2;
        case GgufType::u32:
        case GgufType::i32:
        case GgufType::f32:
            return 4;
        case GgufType::u64:
        case GgufType::i64:
        case GgufType::f64:
            return 8;
        default:
            return 0;
    }
}

template <class T>
T load(const std::byte* data) {
    T value;
    std::memcpy(&value, data, sizeof(T));
    return value;
}

GgufValue scalar(GgufType type, const std::byte* data) {
    switch (type) {
        case GgufType::u8:
            return uint64_t{load<uint8_t>(data)};
        case GgufType::i8:
            return int64_t{load<int8_t>(data)};
        case GgufType::u16:
            return uint64_t{load<uint16_t>(data)};
        case GgufType::i16:
            return int64_t{load<int16_t>(data)};
        case GgufType::u32:
            return uint64_t{load<uint32_t>(data)};
        case GgufType::i32:
            return int64_t{load<int32_t>(data)};
        case GgufType::u64:
            return load<uint64_t>(data);
        case GgufType::i64:
            return load<int64_t>(data);
        case GgufType::f32:
            return double{load<float>(data)};
        case GgufType::f64:
            return load<double>(data);
        default:
            return load<uint8_t>(data) != 0;
    }
}

Result<GgufValue> read_array(ByteReader& reader) {
    LOCKSTEP_ASSIGN(const auto type, reader.read<uint32_t>("an array's type"));
    LOCKSTEP_ASSIGN(const auto count, reader.read<uint64_t>("an array's length"));
    GgufArray array{static_cast<GgufType>(type), count, {}};
    if (array.type == GgufType::array) return reader.fail("arrays of arrays are not supported");
    if (array.type == GgufType::string) {
        if (count > reader.remaining() / sizeof(uint64_t)) {
            return reader.fail("an array of " + std::to_string(count) +
                               " strings does not fit into the rest of the file");
        }
        ByteReader walk = reader;
        for (uint64_t i = 0; i < count; ++i) LOCKSTEP_TRY(walk.string("an array's string"));
        LOCKSTEP_ASSIGN(array.data, reader.take(walk.at() - reader.at(), "an array"));
        return array;
    }
    const size_t size = element_size(array.type);
    if (size == 0) return reader.fail("unknown array type " + std::to_string(type));
    if (count > reader.remaining() / size) {
        return reader.fail("an array of " + std::to_string(count) +
                           " elements does not fit into the rest of the file");
    }
    LOCKSTEP_ASSIGN(array.data, reader.take(count * size, "an array"));
    return array;
}

Result<GgufValue> read_value(ByteReader& reader) {
    LOCKSTEP_ASSIGN(const auto id, reader.read<uint32_t>("a value's type"));
    const auto type = static_cast<GgufType>(id);
    if (type == GgufType::array) return read_array(reader);
    if (type == GgufType::string) {
        LOCKSTEP_ASSIGN(const auto text, reader.string("a string"));
        return text;
    }
    const size_t size = element_size(type);
    if (size == 0) return reader.fail("unknown value type " + std::to_string(id));
    LOCKSTEP_ASSIGN(const auto data, reader.take(size, "a value"));
    return scalar(type, data.data());
}

// ggml's type ids; those with a DType can be expanded.
struct GgmlType {
    uint32_t id;
    const char* name;
    std::optional<DType> dtype;
};
constexpr std::array ggml_types{
    GgmlType{0, "F32", DType::f32},
    GgmlType{1, "F16", DType::f16},
    GgmlType{2, "Q4_0", DType::q4_0},
    GgmlType{3, "Q4_1", DType::q4_1},
    GgmlType{6, "Q5_0", DType::q5_0},
    GgmlType{7, "Q5_1", DType::q5_1},
    GgmlType{8, "Q8_0", DType::q8_0},
    GgmlType{9, "Q8_1", {}},
    GgmlType{10, "Q2_K", {}},
    GgmlType{11, "Q3_K", {}},
    GgmlType{12, "Q4_K", DType::q4_k},
    GgmlType{13, "Q5_K", DType::q5_k},
    GgmlType{14, "Q6_K", DType::q6_k},
    GgmlType{15, "Q8_K", {}},
    GgmlType{16, "IQ2_XXS", {}},
    GgmlType{17, "IQ2_XS", {}},
    GgmlType{18, "IQ3_XXS", {}},
    GgmlType{19, "IQ1_S", {}},
    GgmlType{20, "IQ4_NL", {}},
    GgmlType{21, "IQ3_S", {}},
    GgmlType{22, "IQ2_S", {}},
    GgmlType{23, "IQ4_XS", {}},
    GgmlType{24, "I8", {}},
    GgmlType{25, "I16", {}},
    GgmlType{26, "I32", {}},
    GgmlType{27, "I64", {}},
    GgmlType{28, "F64", {}},
    GgmlType{29, "IQ1_M", {}},
    GgmlType{30, "BF16", DType::bf16},
    GgmlType{34, "TQ1_0", {}},
    GgmlType{35, "TQ2_0", {}},
    GgmlType{39, "MXFP4", {}},
};

std::string supported_types() {
    std::string list;
    for (const GgmlType& type : ggml_types) {
        if (!type.dtype) continue;
        if (!list.empty()) list += ", ";
        list += type.name;
    }
    return list;
}

struct TensorInfo {
    StoredTensor tensor;
    uint64_t offset = 0;  // from the start of the data section
    uint64_t bytes = 0;
};

Status read_type(ByteReader& reader, StoredTensor& tensor) {
    LOCKSTEP_ASSIGN(const auto id, reader.read<uint32_t>("a tensor's type"));
    const auto* known = std::ranges::find(ggml_types, id, &GgmlType::id);
    const bool found = known != ggml_types.end();
    if (!found || !known->dtype) {
        const std::string name = found ? known->name : "number " + std::to_string(id);
        return reader.fail("tensor " + tensor.name + ": type " + name +
                               " is not supported; supported: " + supported_types(),
                           ErrorKind::unsupported);
    }
    tensor.type = known->name;
    tensor.dtype = known->dtype;
    return {};
}

// The product of the dimensions, if it is one that 2^48 elements can hold.
Result<uint64_t> read_shape(ByteReader& reader, StoredTensor& tensor) {
    LOCKSTEP_ASSIGN(const auto rank, reader.read<uint32_t>("a tensor's rank"));
    if (rank < 1 || rank > max_rank) {
        return reader.fail("tensor " + tensor.name + ": " + std::to_string(rank) +
                           " dimensions are outside 1 to " + std::to_string(max_rank));
    }
    constexpr uint64_t max_elements = uint64_t{1} << 48;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < rank; ++i) {
        LOCKSTEP_ASSIGN(const auto size, reader.read<uint64_t>("a tensor's dimension"));
        if (size == 0 || size > max_elements / elements) {
            return reader.fail("tensor " + tensor.name + ": dimension " + std::to_string(size) +
                               (size == 0 ? " is empty" : " is too large"));
        }
        elements *= size;
        tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));  // innermost first
    }
    return elements;
}

Result<TensorInfo> read_tensor_info(ByteReader& reader, uint64_t alignment) {
    TensorInfo info;
    LOCKSTEP_ASSIGN(const auto name, reader.string("a tensor's name"));
    if (name.empty() || name.size() > max_name || !utf8_valid(name)) {
        return reader.fail("tensor name " + in_quotes(name) + " is not UTF-8 of 1 to 256 bytes");
    }
    info.tensor.name = name;
    LOCKSTEP_ASSIGN(const uint64_t elements, read_shape(reader, info.tensor));
    LOCKSTEP_TRY(read_type(reader, info.tensor));
    LOCKSTEP_ASSIGN(info.offset, reader.read<uint64_t>("a tensor's offset"));
    const DTypeInfo& dtype = dtype_info(*info.tensor.dtype);
    if (info.tensor.shape.back() % dtype.block_elements != 0) {
        return reader.fail("tensor " + info.tensor.name + ": rows of " +
                           std::to_string(info.tensor.shape.back()) + " elements are not whole " +
                           info.tensor.type + " blocks of " + std::to_string(dtype.block_elements));
    }
    if (info.offset % alignment != 0) {
        return reader.fail("tensor " + info.tensor.name + ": offset " +
                           std::to_string(info.offset) + " is not a multiple of the alignment " +
                           std::to_string(alignment));
    }
    info.bytes =
        static_cast<uint64_t>(dtype_bytes(*info.tensor.dtype, static_cast<int64_t>(elements)));
    return info;
}

// Inside the data section, and each after the one before it.
Status check_extents(const std::vector<TensorInfo>& infos, uint64_t data_bytes,
                     const std::string& file) {
    std::vector<const TensorInfo*> sorted;
    sorted.reserve(infos.size());
    for (const TensorInfo& info : infos) {
        if (info.offset > data_bytes || info.bytes > data_bytes - info.offset) {
            return fail(ErrorKind::invalid_file,
                        file + ": tensor " + info.tensor.name + ": its " +
                            std::to_string(info.bytes) + " bytes at offset " +
                            std::to_string(info.offset) + " lie outside the file's " +
                            std::to_string(data_bytes) + " bytes of data (is the file cut short?)");
        }
        sorted.push_back(&info);
    }
    std::ranges::sort(sorted, {}, &TensorInfo::offset);
    for (size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset) {
            return fail(ErrorKind::invalid_file, file + ": tensor " + sorted[i]->tensor.name +
                                                     " overlaps tensor " +
                                                     sorted[i - 1]->tensor.name);
        }
    }
    return {};
}

}  // namespace

bool GgufFile::is_gguf(const std::filesystem::path& path) {
    const auto file = MappedFile::open(path);
    return file && file->text().starts_with("GGUF");
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
    GgufFile gguf;
    LOCKSTEP_ASSIGN(gguf.file_, MappedFile::open(path));
    ByteReader reader(gguf.file_.bytes(), 0, path.string());
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
    if (gguf.tensor_count_ > max_tensors || gguf.tensor_count_ > reader.remaining() / 24) {
        return reader.fail("the header announces " + std::to_string(gguf.tensor_count_) +
                           " tensors, more than the file can hold");
    }
    if (metadata_count > max_metadata || metadata_count > reader.remaining() / 13) {
        return reader.fail("the header announces " + std::to_string(metadata_count) +
                           " metadata keys, more than the file can hold");
    }
    for (uint64_t i = 0; i < metadata_count; ++i) {
        LOCKSTEP_ASSIGN(const auto key, reader.string("a metadata key"));
        if (key.empty() || key.size() > 65535 || !utf8_valid(key)) {
            return reader.fail("metadata key " + in_quotes(key) +
                               " is not UTF-8 of 1 to 65535 bytes");
        }
        reader.set_place(key);
        LOCKSTEP_ASSIGN(const GgufValue value, read_value(reader));
        reader.set_place("");
        if (!gguf.metadata_.emplace(key, value).second) {
            return reader.fail("duplicate metadata key " + printable(key));
        }
    }
    gguf.tensors_at_ = reader.at();
    return gguf;
}

Result<std::vector<StoredTensor>> GgufFile::read_tensors() const {
    LOCKSTEP_ASSIGN(const int64_t alignment, integer_or("general.alignment", 32, 1, 1 << 20));
    if (!std::has_single_bit(static_cast<uint64_t>(alignment))) {
        return error("general.alignment", std::to_string(alignment) + " is not a power of two");
    }
    ByteReader reader(file_.bytes(), tensors_at_, path().string());
    std::vector<TensorInfo> infos;
    std::unordered_map<std::string, size_t> names;
    for (uint64_t i = 0; i < tensor_count_; ++i) {
        LOCKSTEP_ASSIGN(TensorInfo info,
                        read_tensor_info(reader, static_cast<uint64_t>(alignment)));
        if (!names.emplace(info.tensor.name, i).second) {
            return reader.fail("duplicate tensor " + info.tensor.name);
        }
        infos.push_back(std::move(info));
    }
    const auto step = static_cast<size_t>(alignment);
    const size_t data_at = (reader.at() + step - 1) / step * step;
    const size_t data_bytes = data_at < file_.bytes().size() ? file_.bytes().size() - data_at : 0;
    LOCKSTEP_TRY(check_extents(infos, data_bytes, path().string()));
    std::vector<StoredTensor> tensors;
    tensors.reserve(infos.size());
    for (TensorInfo& info : infos) {
        info.tensor.file = path();
        info.tensor.data = file_.bytes().subspan(data_at + info.offset, info.bytes);
        tensors.push_back(std::move(info.tensor));
    }
    return tensors;
}

const GgufValue* GgufFile::find(std::string_view key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? nullptr : &found->second;
}

std::string GgufFile::where(std::string_view key) const {
    return path().string() + ": " + std::string(key);
}

tl::unexpected<Error> GgufFile::error(std::string_view key, const std::string& what,
                                      ErrorKind kind) const {
    return fail(kind, where(key) + ": " + what);
}

Result<int64_t> GgufFile::integer(std::string_view key, int64_t min, int64_t max) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    const auto range = [&](const std::string& text) {
        return error(key,
                     text + " is outside " + std::to_string(min) + " to " + std::to_string(max));
    };
    if (const auto* number = std::get_if<uint64_t>(value)) {
        if (*number > static_cast<uint64_t>(INT64_MAX)) return range(std::to_string(*number));
        const auto converted = static_cast<int64_t>(*number);
        return converted < min || converted > max ? Result<int64_t>(range(std::to_string(*number)))
                                                  : converted;
    }
    if (const auto* number = std::get_if<int64_t>(value)) {
        return *number < min || *number > max ? Result<int64_t>(range(std::to_string(*number)))
                                              : *number;
    }
    return error(key, "must be an integer");
}

Result<int64_t> GgufFile::integer_or(std::string_view key, int64_t fallback, int64_t min,
                                     int64_t max) const {
    return has(key) ? integer(key, min, max) : fallback;
}

Result<double> GgufFile::number(std::string_view key, double min, double max) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    double number = 0;
    if (const auto* floating = std::get_if<double>(value)) {
        number = *floating;
    } else if (const auto* whole = std::get_if<uint64_t>(value)) {
        number = static_cast<double>(*whole);
    } else if (const auto* negative = std::get_if<int64_t>(value)) {
        number = static_cast<double>(*negative);
    } else {
        return error(key, "must be a number");
    }
    if (!std::isfinite(number) || number < min || number > max) {
        return error(key, std::to_string(number) + " is outside " + std::to_string(min) + " to " +
                              std::to_string(max));
    }
    return number;
}

Result<double> GgufFile::number_or(std::string_view key, double fallback, double min,
                                   double max) const {
    return has(key) ? number(key, min, max) : fallback;
}

Result<bool> GgufFile::boolean_or(std::string_view key, bool fallback) const {
    const GgufValue* value = find(key);
    if (!value) return fallback;
    const auto* boolean = std::get_if<bool>(value);
    return boolean ? Result<bool>(*boolean) : error(key, "must be true or false");
}

Result<std::string> GgufFile::string(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    const auto* text = std::get_if<std::string_view>(value);
    if (!text) return error(key, "must be a string");
    if (!utf8_valid(*text)) return error(key, "is not valid UTF-8");
    return std::string(*text);
}

Result<std::string> GgufFile::string_or(std::string_view key, std::string fallback) const {
    if (!has(key)) return fallback;
    return string(key);
}

Result<const GgufArray*> GgufFile::array(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return nullptr;
    const auto* found = std::get_if<GgufArray>(value);
    return found ? Result<const GgufArray*>(found) : error(key, "must be an array");
}

Result<std::vector<std::string>> GgufFile::strings_or_none(std::string_view key) const {
    std::vector<std::string> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    if (found->type != GgufType::string) return error(key, "must be an array of strings");
    list.reserve(found->count);
    ByteReader reader(found->data, 0, where(key));
    for (uint64_t i = 0; i < found->count; ++i) {
        LOCKSTEP_ASSIGN(const auto text, reader.string("a string"));
        list.emplace_back(text);
    }
    return list;
}

Result<std::vector<int64_t>> GgufFile::integers_or_none(std::string_view key) const {
    std::vector<int64_t> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    const size_t size = element_size(found->type);
    list.reserve(found->count);
    for (uint64_t i = 0; i < found->count; ++i) {
        if (size == 0) return error(key, "must be an array of integers");
        const GgufValue value = scalar(found->type, found->data.data() + i * size);
        if (const auto* number = std::get_if<int64_t>(&value)) {
            list.push_back(*number);
        } else if (const auto* whole = std::get_if<uint64_t>(&value);
                   whole && *whole <= INT64_MAX) {
            list.push_back(static_cast<int64_t>(*whole));
        } else {
            return error(key, "must be an array of integers");
        }
    }
    return list;
}

Result<std::vector<float>> GgufFile::floats_or_none(std::string_view key) const {
    std::vector<float> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    if (found->type != GgufType::f32) return error(key, "must be an array of 32-bit floats");
    list.resize(found->count);
    if (!list.empty()) std::memcpy(list.data(), found->data.data(), found->data.size());
    return list;
}

}  // namespace lockstep
