// SPDX-License-Identifier: GPL-3.0-or-later
// The part of repro.cpp that is the same for every step. C++11, and lockstep_kernel.h alone.
#pragma once

#include <string_view>

namespace lockstep {

inline constexpr std::string_view repro_driver = R"driver(
// A tensor of the call: where its elements lie in the file, dense; its strides are those of the call.
struct Stored {
    const char* name;
    int32_t dtype;
    int32_t rank;
    int64_t shape[4];
    int64_t stride[4];
    long offset;  // -1: what the step must write
};

static std::vector<char> file_bytes;
static std::vector<std::unique_ptr<char[]>> memory;  // one block each: a sanitizer sees its ends

static int64_t element_bytes(int32_t dtype) {
    return dtype == LOCKSTEP_F32 || dtype == LOCKSTEP_I32 ? 4 : 2;
}

static int64_t count_of(const Stored& stored) {
    int64_t count = 1;
    for (int d = 0; d < stored.rank; ++d) count *= stored.shape[d];
    return count;
}

// In elements, of the index-th element in row-major order.
static int64_t offset_of(const Stored& stored, int64_t index) {
    int64_t offset = 0;
    for (int d = stored.rank - 1; d >= 0; --d) {
        offset += index % stored.shape[d] * stored.stride[d];
        index /= stored.shape[d];
    }
    return offset;
}

// What is not read from the file is NaN.
static lockstep_tensor make(const Stored& stored) {
    const int64_t size = element_bytes(stored.dtype), count = count_of(stored);
    const size_t bytes = static_cast<size_t>((offset_of(stored, count - 1) + 1) * size);
    memory.emplace_back(new char[bytes]);
    char* const data = memory.back().get();
    memset(data, 0xff, bytes);
    for (int64_t i = 0; stored.offset >= 0 && i < count; ++i)
        memcpy(data + offset_of(stored, i) * size, &file_bytes[stored.offset + i * size], size);
    lockstep_tensor tensor = lockstep_tensor();
    tensor.data = data;
    tensor.dtype = stored.dtype;
    tensor.rank = stored.rank;
    for (int d = 0; d < 4; ++d) {
        tensor.shape[d] = stored.shape[d];
        tensor.stride[d] = stored.stride[d];
    }
    return tensor;
}

// An output of the step: rows [first_row, ...) of a tensor, and what others made of them.
struct Expected {
    const char* name;
    int64_t first_row;
    Stored candidate, reference, truth;
};

static double at(const lockstep_tensor& tensor, const Stored& shape, int64_t index) {
    return lockstep_load(&tensor, offset_of(shape, index));
}

// Whether it is no further from truth than twice what the reference is.
static bool compare(const lockstep_tensor& made, const Expected& expected) {
    Stored seen = expected.truth;
    for (int d = 0; d < 4; ++d) seen.stride[d] = made.stride[d];
    lockstep_tensor rows = made;
    rows.data = static_cast<char*>(made.data) +
                expected.first_row * made.stride[0] * element_bytes(made.dtype);
    const lockstep_tensor candidate = make(expected.candidate), reference = make(expected.reference);
    const lockstep_tensor truth = make(expected.truth);
    double worst = 0, noise = 0;
    int64_t worst_index = 0;
    bool as_before = true, finite = true;
    for (int64_t i = 0; i < count_of(seen); ++i) {
        const double value = at(rows, seen, i), exact = at(truth, expected.truth, i);
        const double before = at(candidate, expected.candidate, i);
        const double error = std::fabs(value - exact);
        as_before = as_before && (value == before || (value != value && before != before));
        finite = finite && value - value == 0;
        noise = std::fmax(noise, std::fabs(at(reference, expected.reference, i) - exact));
        if (error > worst || (error != error && worst == worst)) {
            worst = error;
            worst_index = i;
        }
    }
    const bool good = finite && worst <= 2 * noise + 1e-6;
    printf("%-12s %s: off by %g at element %lld (reference: %g)%s\n", expected.name,
           good ? "good" : "WRONG", worst, static_cast<long long>(worst_index), noise,
           as_before ? "; the same as when Lockstep ran it" : "");
    return good;
}

static bool read_file(const char* name) {
    FILE* const file = fopen(name, "rb");
    if (!file) return false;
    char block[65536];
    for (size_t got = 0; (got = fread(block, 1, sizeof block, file)) > 0;)
        file_bytes.insert(file_bytes.end(), block, block + got);
    fclose(file);
    return !file_bytes.empty();
}
)driver";

}  // namespace lockstep
