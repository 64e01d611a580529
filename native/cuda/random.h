// Random numbers by counter, as the CPU's kernels draw them: each depends on a key and its
// own index alone, and both devices draw the same.
#pragma once
#include "cuda/device.h"

namespace adaptive::cuda {

/// A bijection of 32 bits in which each bit of the input changes each of the output with a probability near
/// one half ("lowbias32" of Wellons, "Prospecting for hash functions").
__device__ __forceinline__ uint32_t scattered(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

/// 32 random bits of an index; one from 2³² on gets another key.
__device__ __forceinline__ uint32_t bitsAt(uint64_t key, int64_t index) {
  const uint64_t own = key + static_cast<uint64_t>(index >> 32) * 0x9e3779b97f4a7c15u;
  const uint32_t low = static_cast<uint32_t>(own), high = static_cast<uint32_t>(own >> 32);
  return scattered(scattered(static_cast<uint32_t>(index) * 0x9e3779b9u + low) ^ high);
}

/// bfloat16 of a value, rounded up or down with the probability that makes the mean exact.
__device__ __forceinline__ bfloat16 roundedStochastically(float value, uint32_t key, int64_t index) {
  const uint32_t bits = __float_as_uint(value);
  uint32_t x = static_cast<uint32_t>(index) ^ key;
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  // Infinity and NaN have nothing to round.
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return __ushort_as_bfloat16(static_cast<uint16_t>((bits + (finite ? x >> 16 : 0u)) >> 16));
}

}  // namespace adaptive::cuda
