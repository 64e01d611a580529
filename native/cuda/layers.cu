// The elementwise kernels of a layer: rotary embedding, gated activations, and sums of rows by their id.
#include "cuda/kernels.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ int64_t threadIndex() { return int64_t{blockIdx.x} * kThreads + threadIdx.x; }

template <class T>
__global__ void __launch_bounds__(kThreads)
    rotateKernel(T* __restrict__ x, const float* __restrict__ cos, const float* __restrict__ sin,
                 int64_t count, int64_t stride, int64_t heads, int64_t headDim, int64_t half,
                 bool interleaved, float sign) {
  const int64_t index = threadIndex();
  if (index >= count) return;
  const int64_t i = index % half, head = index / half % heads, row = index / half / heads;
  T* first = x + row * stride + head * headDim + (interleaved ? 2 * i : i);
  T* second = first + (interleaved ? 1 : half);
  const float a = toFloat(*first), b = toFloat(*second);
  const float c = cos[row * half + i], s = sin[row * half + i] * sign;
  *first = fromFloat<T>(a * c - b * s);
  *second = fromFloat<T>(b * c + a * s);
}

/// An activation and its slope.
struct Activated {
  float value, slope;
};

template <Activation kActivation>
__device__ __forceinline__ Activated activated(float x) {
  if constexpr (kActivation == Activation::GeluTanh) {
    constexpr float kScale = 0.7978845608028654f, kCubic = 0.044715f;  // √(2/π), Hendrycks & Gimpel 2016
    const float square = x * x, t = tanhf(kScale * x * (1.f + kCubic * square));
    const float inner = kScale * (1.f + 3.f * kCubic * square);
    return {0.5f * x * (1.f + t), 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * inner};
  } else if constexpr (kActivation == Activation::Gelu) {
    constexpr float kHalfRoot = 0.7071067811865476f, kDensity = 0.3989422804014327f;  // 1/√2, 1/√(2π)
    const float c = 0.5f * (1.f + erff(x * kHalfRoot));
    return {x * c, c + x * kDensity * expf(-0.5f * x * x)};
  } else if constexpr (kActivation == Activation::Relu) {
    return {x > 0.f ? x : 0.f, x > 0.f ? 1.f : 0.f};
  } else {
    const float s = 1.f / (1.f + expf(-x)), silu = x * s;
    return {silu, s + silu * (1.f - s)};
  }
}

template <Activation kActivation, class T>
__global__ void __launch_bounds__(kThreads)
    gatedKernel(const T* __restrict__ gateUp, T* __restrict__ y, int64_t count, int64_t width) {
  const int64_t index = threadIndex();
  if (index >= count) return;
  const T* gate = gateUp + index / width * 2 * width + index % width;
  y[index] = fromFloat<T>(activated<kActivation>(toFloat(gate[0])).value * toFloat(gate[width]));
}

template <Activation kActivation, class T>
__global__ void __launch_bounds__(kThreads)
    gatedBackwardKernel(const T* __restrict__ dy, const T* __restrict__ gateUp, T* __restrict__ dGateUp,
                        int64_t count, int64_t width) {
  const int64_t index = threadIndex();
  if (index >= count) return;
  const int64_t at = index / width * 2 * width + index % width;
  const float grad = toFloat(dy[index]), up = toFloat(gateUp[at + width]);
  const Activated gate = activated<kActivation>(toFloat(gateUp[at]));
  dGateUp[at] = fromFloat<T>(grad * up * gate.slope);
  dGateUp[at + width] = fromFloat<T>(grad * gate.value);
}

/// A block of the first of the entries with one id adds up all of them, a thread to a column.
template <class T>
__global__ void __launch_bounds__(kThreads)
    addRowsKernel(float* __restrict__ gradient, const int64_t* __restrict__ ids,
                  const int64_t* __restrict__ order, const T* __restrict__ dy,
                  const float* __restrict__ scales, int64_t scaleStride, float scale, int64_t skipped,
                  int64_t rows, int64_t width) {
  const int64_t first = blockIdx.x, id = ids[first];
  if (id == skipped || (first > 0 && ids[first - 1] == id)) return;
  const int64_t column = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  if (column >= width) return;
  float sum = gradient[id * width + column];
  for (int64_t i = first; i < rows && ids[i] == id; i++) {
    const int64_t row = order[i];
    const float factor = scales != nullptr ? scale * scales[row * scaleStride] : scale;
    sum += factor * toFloat(dy[row * width + column]);
  }
  gradient[id * width + column] = sum;
}

template <Activation kActivation, class T>
void launchGated(const T* gateUp, T* y, int64_t rows, int64_t width, cudaStream_t stream) {
  const int64_t count = rows * width;
  LAUNCH((gatedKernel<kActivation, T>), dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, gateUp, y,
         count, width);
}

template <Activation kActivation, class T>
void launchGatedBackward(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width,
                         cudaStream_t stream) {
  const int64_t count = rows * width;
  LAUNCH((gatedBackwardKernel<kActivation, T>), dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, dy,
         gateUp, dGateUp, count, width);
}

}  // namespace

template <class T>
void rotate(T* x, const float* cos, const float* sin, int64_t rows, int64_t stride, int64_t heads,
            int64_t headDim, int64_t half, bool interleaved, float sign, cudaStream_t stream) {
  const int64_t count = rows * heads * half;
  if (count == 0) return;
  LAUNCH(rotateKernel<T>, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, x, cos, sin, count, stride,
         heads, headDim, half, interleaved, sign);
}

template <class T>
void gatedActivation(const T* gateUp, T* y, int64_t rows, int64_t width, Activation activation,
                     cudaStream_t stream) {
  if (rows * width == 0) return;
  switch (activation) {
    case Activation::GeluTanh:
      return launchGated<Activation::GeluTanh>(gateUp, y, rows, width, stream);
    case Activation::Gelu:
      return launchGated<Activation::Gelu>(gateUp, y, rows, width, stream);
    case Activation::Relu:
      return launchGated<Activation::Relu>(gateUp, y, rows, width, stream);
    default:
      return launchGated<Activation::Silu>(gateUp, y, rows, width, stream);
  }
}

template <class T>
void gatedActivationBackward(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width,
                             Activation activation, cudaStream_t stream) {
  if (rows * width == 0) return;
  switch (activation) {
    case Activation::GeluTanh:
      return launchGatedBackward<Activation::GeluTanh>(dy, gateUp, dGateUp, rows, width, stream);
    case Activation::Gelu:
      return launchGatedBackward<Activation::Gelu>(dy, gateUp, dGateUp, rows, width, stream);
    case Activation::Relu:
      return launchGatedBackward<Activation::Relu>(dy, gateUp, dGateUp, rows, width, stream);
    default:
      return launchGatedBackward<Activation::Silu>(dy, gateUp, dGateUp, rows, width, stream);
  }
}

template <class T>
void addRows(float* gradient, const int64_t* ids, const int64_t* order, const T* dy, const float* scales,
             int64_t scaleStride, float scale, int64_t skipped, int64_t rows, int64_t width,
             cudaStream_t stream) {
  if (rows * width == 0) return;
  LAUNCH(addRowsKernel<T>, dim3(rows, blocksOf(width, kThreads)), dim3(kThreads), stream, gradient, ids,
         order, dy, scales, scaleStride, scale, skipped, rows, width);
}

#define FOR_TYPE(T)                                                                                          \
  template void rotate(T*, const float*, const float*, int64_t, int64_t, int64_t, int64_t, int64_t, bool,    \
                       float, cudaStream_t);                                                                 \
  template void gatedActivation(const T*, T*, int64_t, int64_t, Activation, cudaStream_t);                   \
  template void gatedActivationBackward(const T*, const T*, T*, int64_t, int64_t, Activation, cudaStream_t); \
  template void addRows(float*, const int64_t*, const int64_t*, const T*, const float*, int64_t, float,      \
                        int64_t, int64_t, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bfloat16)
FOR_TYPE(float16)

}  // namespace adaptive::cuda
