// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <vector>

#include "kernels/cpu/cpu_stream.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/bandwidth.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must follow foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// Eight sums at once, so that the additions' latency is never what is measured. count is a multiple
// of 512.
uint64_t sum_words(const uint32_t* data, size_t count) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::ScalableTag<uint32_t> d;
    const size_t n = hn::Lanes(d);
    using V = hn::Vec<decltype(d)>;
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    for (size_t i = 0; i + 8 * n <= count; i += 8 * n) {
        s0 = hn::Add(s0, hn::Load(d, data + i + 0 * n));
        s1 = hn::Add(s1, hn::Load(d, data + i + 1 * n));
        s2 = hn::Add(s2, hn::Load(d, data + i + 2 * n));
        s3 = hn::Add(s3, hn::Load(d, data + i + 3 * n));
        s4 = hn::Add(s4, hn::Load(d, data + i + 4 * n));
        s5 = hn::Add(s5, hn::Load(d, data + i + 5 * n));
        s6 = hn::Add(s6, hn::Load(d, data + i + 6 * n));
        s7 = hn::Add(s7, hn::Load(d, data + i + 7 * n));
    }
    s0 = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)),
                 hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
    return hn::GetLane(hn::SumOfLanes(d, s0));
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep {
namespace {
HWY_EXPORT(sum_words);

constexpr size_t huge_page = size_t{2} << 20;

// Far larger than the last-level cache, but no more than half of what is free.
size_t buffer_size(size_t free_bytes) {
    const long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
    const size_t wanted = std::max(size_t{512} << 20, 8 * static_cast<size_t>(std::max(l3, 0L)));
    return std::min(wanted, free_bytes / 2) / huge_page * huge_page;
}
}  // namespace

Result<double> measure_cpu_bandwidth(Stream& stream, int passes) {
    Device& device = stream.device();
    const size_t bytes = buffer_size(device.free_memory());
    if (bytes < (size_t{32} << 20)) {
        return fail(ErrorKind::out_of_memory, "too little free memory to measure its bandwidth");
    }
    LOCKSTEP_ASSIGN(const Buffer buffer, device.allocate(bytes));
    ThreadPool& pool = cpu_stream(stream).pool();
    const auto pages = static_cast<int64_t>(bytes / huge_page);
    char* const data = static_cast<char*>(buffer.data());
    // Pages that were never written are all one page of zeros, which a cache holds.
    pool.parallel_for(pages, 1, [&](int64_t first, int64_t last, int) {
        std::memset(data + first * huge_page, 1, (last - first) * huge_page);
    });

    std::atomic<uint64_t> total{0};
    std::vector<double> rates;
    for (int pass = 0; pass <= passes; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        pool.parallel_for(pages, 1, [&](int64_t first, int64_t last, int) {
            total += HWY_DYNAMIC_DISPATCH(sum_words)(
                reinterpret_cast<const uint32_t*>(data + first * huge_page),
                (last - first) * huge_page / sizeof(uint32_t));
        });
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        if (pass > 0) rates.push_back(static_cast<double>(bytes) / seconds.count() * 1e-9);
    }
    if (total == 0) return fail(ErrorKind::internal, "the bandwidth measurement read nothing");
    std::nth_element(rates.begin(), rates.begin() + passes / 2, rates.end());
    return rates[passes / 2];
}

}  // namespace lockstep
#endif
