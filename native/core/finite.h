#pragma once
#include <cstdint>
#include <cstring>

namespace adaptive {

/// The index of the first NaN or infinity among `count` values; −1 when all are finite.
inline int64_t firstNonFinite(const float* values, int64_t count) {
  constexpr uint32_t exponent = 0x7f800000u;
  const auto isWild = [values](int64_t i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    return (bits & exponent) == exponent;
  };
  // A block without a branch inside is a handful of vector instructions.
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = begin + kBlock < count ? begin + kBlock : count;
    uint32_t any = 0;
    for (int64_t i = begin; i < end; i++) any |= static_cast<uint32_t>(isWild(i));
    if (any == 0) continue;
    for (int64_t i = begin; i < end; i++)
      if (isWild(i)) return i;
  }
  return -1;
}

}  // namespace adaptive
