// Random numbers by counter: each depends on a key and its own index alone, so no split over threads or
// blocks changes one.
#pragma once
#include <algorithm>
#include <cstdint>

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// A bijection of 32 bits in which each bit of the input changes each of the output with a probability near
/// one half ("lowbias32" of Wellons, "Prospecting for hash functions").
inline uint32_t scattered(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

/// For the low and high half of a key, and an index below 2³².
inline uint32_t bitsAt(uint32_t low, uint32_t high, uint32_t index) {
  return scattered(scattered(index * 0x9e3779b9u + low) ^ high);
}

// An index from 2³² on gets another key. The loops below are simple enough for the compiler to use vectors.
template <class F>
inline void forIndices(uint64_t key, int64_t first, int64_t count, const F& f) {
  constexpr int64_t kRange = int64_t{1} << 32;
  for (int64_t done = 0; done < count;) {
    const int64_t at = first + done, end = std::min(count, done + kRange - at % kRange);
    const uint64_t own = key + static_cast<uint64_t>(at / kRange) * 0x9e3779b97f4a7c15u;
    f(static_cast<uint32_t>(own), static_cast<uint32_t>(own >> 32), done, end,
      static_cast<uint32_t>(at % kRange) - static_cast<uint32_t>(done));
    done = end;
  }
}

inline void dropout(float* x, int64_t count, uint64_t key, int64_t first, uint32_t threshold, float scale) {
  forIndices(key, first, count,
             [&](uint32_t low, uint32_t high, int64_t begin, int64_t end, uint32_t offset) {
               for (int64_t i = begin; i < end; i++) {
                 const bool keeps = bitsAt(low, high, static_cast<uint32_t>(i) + offset) >= threshold;
                 x[i] = keeps ? x[i] * scale : 0.f;
               }
             });
}

inline void uniform(float* out, int64_t count, uint64_t key, int64_t first) {
  forIndices(key, first, count,
             [&](uint32_t low, uint32_t high, int64_t begin, int64_t end, uint32_t offset) {
               for (int64_t i = begin; i < end; i++) {
                 const uint32_t bits = bitsAt(low, high, static_cast<uint32_t>(i) + offset);
                 out[i] = static_cast<float>(static_cast<int32_t>(bits >> 8)) * 0x1p-24f;
               }
             });
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
