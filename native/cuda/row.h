// Rows that one block works on: reductions over its threads, and loops over a row's entries.
#pragma once
#include "cuda/device.h"

namespace adaptive::cuda {

/// The sum over a block of kThreads, by every thread, in an order that never changes.
template <int kThreads, class V>
__device__ __forceinline__ V blockSum(V value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
  if (kThreads == 32) return value;
  SHARED(V, sums, kThreads / 32);
  __syncthreads();  // the sums of an earlier call have been read
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  V total = 0;
  for (int warp = 0; warp < kThreads / 32; warp++) total += sums[warp];
  return total;
}

/// The greatest value of a block, by every thread; NaN where any is.
template <int kThreads>
__device__ __forceinline__ float blockMax(float value) {
  const auto greater = [](float a, float b) { return b > a || b != b ? b : a; };
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const float other = __shfl_xor_sync(~0u, value, lanes);
    value = value != value ? value : greater(value, other);
  }
  SHARED(float, values, kThreads / 32);
  __syncthreads();
  if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = value;
  __syncthreads();
  float best = values[0];
  for (int warp = 1; warp < kThreads / 32; warp++) best = best != best ? best : greater(best, values[warp]);
  return best;
}

/// Entries that are loaded together: 16 bytes.
template <class T>
struct Pack {
  static constexpr int kCount = 16 / sizeof(T);
  union {
    uint4 raw;
    T values[kCount];
  };
  __device__ Pack() {}
};

/// Entries before the first one of a row that is aligned to 16 bytes.
template <class T>
__device__ __forceinline__ int64_t unaligned(const T* row, int64_t count) {
  const int64_t entries = ((16 - (reinterpret_cast<uintptr_t>(row) & 15)) & 15) / sizeof(T);
  return entries < count ? entries : count;
}

/// f(index, value) for every entry of a row, each by one thread of the block.
template <int kThreads, class T, class F>
__device__ __forceinline__ void forRow(const T* __restrict__ row, int64_t count, const F& f) {
  constexpr int n = Pack<T>::kCount;
  const int64_t head = unaligned(row, count), packs = (count - head) / n;
  for (int64_t i = threadIdx.x; i < head; i += kThreads) f(i, toFloat(row[i]));
  const uint4* body = reinterpret_cast<const uint4*>(row + head);
  for (int64_t k = threadIdx.x; k < packs; k += kThreads) {
    Pack<T> pack;
    pack.raw = body[k];
#pragma unroll
    for (int j = 0; j < n; j++) f(head + k * n + j, toFloat(pack.values[j]));
  }
  for (int64_t i = head + packs * n + threadIdx.x; i < count; i += kThreads) f(i, toFloat(row[i]));
}

/// Every entry of a row becomes f(index, entry).
template <int kThreads, class T, class F>
__device__ __forceinline__ void changeRow(T* __restrict__ row, int64_t count, const F& f) {
  constexpr int n = Pack<T>::kCount;
  const int64_t head = unaligned(row, count), packs = (count - head) / n;
  const auto change = [&](int64_t i) { row[i] = fromFloat<T>(f(i, toFloat(row[i]))); };
  for (int64_t i = threadIdx.x; i < head; i += kThreads) change(i);
  uint4* body = reinterpret_cast<uint4*>(row + head);
  for (int64_t k = threadIdx.x; k < packs; k += kThreads) {
    Pack<T> pack;
    pack.raw = body[k];
#pragma unroll
    for (int j = 0; j < n; j++) pack.values[j] = fromFloat<T>(f(head + k * n + j, toFloat(pack.values[j])));
    body[k] = pack.raw;
  }
  for (int64_t i = head + packs * n + threadIdx.x; i < count; i += kThreads) change(i);
}

}  // namespace adaptive::cuda
