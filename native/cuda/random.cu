// Dropout, uniform numbers and stochastic rounding.
#include "cuda/kernels.h"
#include "cuda/random.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ int64_t threadIndex() { return int64_t{blockIdx.x} * kThreads + threadIdx.x; }

template <class T>
__global__ void __launch_bounds__(kThreads)
    dropoutKernel(const T* x, T* y, int64_t count, uint64_t key, uint32_t threshold, float scale) {
  const int64_t i = threadIndex();
  if (i < count) y[i] = fromFloat<T>(bitsAt(key, i) >= threshold ? toFloat(x[i]) * scale : 0.f);
}

__global__ void __launch_bounds__(kThreads) uniformKernel(float* out, int64_t count, uint64_t key) {
  const int64_t i = threadIndex();
  if (i < count) out[i] = static_cast<float>(bitsAt(key, i) >> 8) * 0x1p-24f;
}

__global__ void __launch_bounds__(kThreads)
    roundStochasticallyKernel(const float* from, bfloat16* to, int64_t count, uint32_t key,
                              int64_t firstIndex) {
  const int64_t i = threadIndex();
  if (i < count) to[i] = roundedStochastically(from[i], key, firstIndex + i);
}

}  // namespace

template <class T>
void dropout(const T* x, T* y, int64_t count, uint64_t key, uint32_t threshold, float scale,
             cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(dropoutKernel<T>, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, x, y, count, key,
         threshold, scale);
}

void uniform(float* out, int64_t count, uint64_t key, cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(uniformKernel, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, out, count, key);
}

void roundStochastically(const float* from, bfloat16* to, int64_t count, uint32_t key, int64_t firstIndex,
                         cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(roundStochasticallyKernel, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, from, to, count,
         key, firstIndex);
}

template void dropout(const float*, float*, int64_t, uint64_t, uint32_t, float, cudaStream_t);
template void dropout(const bfloat16*, bfloat16*, int64_t, uint64_t, uint32_t, float, cudaStream_t);
template void dropout(const float16*, float16*, int64_t, uint64_t, uint32_t, float, cudaStream_t);

}  // namespace adaptive::cuda
