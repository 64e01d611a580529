// What every kernel is written with: the types of activations, shared memory and launches. With
// ADAPTIVE_EMULATED_CUDA the kernels are compiled for the CPU (test/cuda/emulation), where tests run them.
#pragma once
#include <cmath>
#include <cstdint>
#ifdef ADAPTIVE_EMULATED_CUDA
#include "cuda_on_cpu.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define SHARED(T, name, count) __shared__ T name[count]
#define LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#endif

namespace adaptive::cuda {

using bfloat16 = __nv_bfloat16;
using float16 = __half;

__host__ __device__ __forceinline__ float toFloat(float value) { return value; }
__host__ __device__ __forceinline__ float toFloat(bfloat16 value) { return __bfloat162float(value); }
__host__ __device__ __forceinline__ float toFloat(float16 value) { return __half2float(value); }

template <class T>
__host__ __device__ __forceinline__ T fromFloat(float value);
template <>
__host__ __device__ __forceinline__ float fromFloat(float value) {
  return value;
}
template <>
__host__ __device__ __forceinline__ bfloat16 fromFloat(float value) {
  return __float2bfloat16(value);
}
template <>
__host__ __device__ __forceinline__ float16 fromFloat(float value) {
  return __float2half(value);
}

/// Blocks of `size` that hold `count`.
inline unsigned blocksOf(int64_t count, int64_t size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

}  // namespace adaptive::cuda
