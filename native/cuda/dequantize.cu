// Weights of 4 and 8 bits back to floats.
#include "cuda/kernels.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads)
    dequantizeKernel(T* __restrict__ out, const uint8_t* __restrict__ packed, const float* __restrict__ codes,
                     const float* __restrict__ scales, int64_t blockSize, int64_t columns, int64_t firstRow,
                     int64_t firstColumn, int64_t count, int64_t width) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t row = firstRow + i / width, entry = row * columns + firstColumn + i % width;
  if (codes != nullptr) {
    const int code = entry % 2 == 0 ? packed[entry / 2] >> 4 : packed[entry / 2] & 15;
    out[i] = fromFloat<T>(codes[code] * scales[entry / blockSize]);
  } else {
    // As bitsandbytes does it: times the scale, then times 1/127.
    const auto value = static_cast<float>(static_cast<int8_t>(packed[entry]));
    out[i] = fromFloat<T>(value * scales[row] * 7.874015718698502e-3f);
  }
}

}  // namespace

template <class T>
void dequantize(T* out, const uint8_t* packed, const float* codes, const float* scales, int64_t blockSize,
                int64_t columns, int64_t firstRow, int64_t firstColumn, int64_t rows, int64_t width,
                cudaStream_t stream) {
  const int64_t count = rows * width;
  if (count == 0) return;
  LAUNCH(dequantizeKernel<T>, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, out, packed, codes,
         scales, blockSize, columns, firstRow, firstColumn, count, width);
}

#define FOR_TYPE(T)                                                                                   \
  template void dequantize(T*, const uint8_t*, const float*, const float*, int64_t, int64_t, int64_t, \
                           int64_t, int64_t, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bfloat16)
FOR_TYPE(float16)

}  // namespace adaptive::cuda
