// RMSNorm of rows, or of pieces of rows (queries and keys), and its gradient.
#include "cuda/kernels.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

/// Widths up to this are a warp's work, wider ones a block's.
constexpr int64_t kNarrow = 512;
constexpr int kBlock = 256, kWarp = 32;
/// The weight's gradient is added up in slices of pieces, and their sums in a fixed order.
constexpr int64_t kSmallestSlice = 64, kSlices = 1024;

/// Where a piece starts and where its rstd stands.
struct Piece {
  int64_t at, rstd;
};
__device__ __forceinline__ Piece pieceOf(int64_t index, const NormShape& shape) {
  const int64_t row = index / shape.groups, group = index % shape.groups;
  return {row * shape.stride + group * shape.width, row * shape.rstdStride + group};
}

template <int kThreads, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    rmsNormKernel(const X* __restrict__ x, const float* __restrict__ weight, Y* __restrict__ y,
                  float* __restrict__ rstd, NormShape shape, float eps) {
  const Piece piece = pieceOf(blockIdx.x, shape);
  float squares = 0.f;
  for (int64_t i = threadIdx.x; i < shape.width; i += kThreads) {
    const float v = toFloat(x[piece.at + i]);
    squares += v * v;
  }
  squares = blockSum<kThreads>(squares);
  const float scale = 1.f / sqrtf(squares / static_cast<float>(shape.width) + eps);
  for (int64_t i = threadIdx.x; i < shape.width; i += kThreads)
    y[piece.at + i] = fromFloat<Y>(toFloat(x[piece.at + i]) * scale * (weight[i] + shape.offset));
  if (threadIdx.x == 0) rstd[piece.rstd] = scale;
}

// dx may be dy: no __restrict__ on either.
template <int kThreads, class G, class X, class D>
__global__ void __launch_bounds__(kThreads)
    rmsNormBackwardKernel(const G* dy, const X* __restrict__ x, const float* __restrict__ weight,
                          const float* __restrict__ rstd, D* dx, NormShape shape) {
  // With x̂ = x·rstd and w = weight + offset: dx = rstd·(dy·w − x̂·mean(dy·w·x̂)).
  const Piece piece = pieceOf(blockIdx.x, shape);
  const float scale = rstd[piece.rstd];
  float products = 0.f;
  for (int64_t i = threadIdx.x; i < shape.width; i += kThreads)
    products += toFloat(dy[piece.at + i]) * (weight[i] + shape.offset) * (toFloat(x[piece.at + i]) * scale);
  const float mean = blockSum<kThreads>(products) / static_cast<float>(shape.width);
  for (int64_t i = threadIdx.x; i < shape.width; i += kThreads) {
    const float normed = toFloat(x[piece.at + i]) * scale;
    dx[piece.at + i] =
        fromFloat<D>(scale * (toFloat(dy[piece.at + i]) * (weight[i] + shape.offset) - normed * mean));
  }
}

/// sums[slice, column] = Σ dy·x̂ over the pieces of a slice of rows.
template <class G, class X>
__global__ void __launch_bounds__(kBlock)
    weightGradientKernel(const G* __restrict__ dy, const X* __restrict__ x, const float* __restrict__ rstd,
                         float* __restrict__ sums, NormShape shape, int64_t slice) {
  const int64_t column = int64_t{blockIdx.x} * kBlock + threadIdx.x, pieces = shape.rows * shape.groups;
  if (column >= shape.width) return;
  const int64_t first = int64_t{blockIdx.y} * slice;
  const int64_t end = first + slice < pieces ? first + slice : pieces;
  float sum = 0.f;
  for (int64_t i = first; i < end; i++) {
    const Piece piece = pieceOf(i, shape);
    sum += toFloat(dy[piece.at + column]) * (toFloat(x[piece.at + column]) * rstd[piece.rstd]);
  }
  sums[blockIdx.y * shape.width + column] = sum;
}

__global__ void __launch_bounds__(kBlock)
    addSlicesKernel(const float* __restrict__ sums, float* __restrict__ dWeight, int64_t slices,
                    int64_t width) {
  const int64_t column = int64_t{blockIdx.x} * kBlock + threadIdx.x;
  if (column >= width) return;
  float total = 0.f;
  for (int64_t slice = 0; slice < slices; slice++) total += sums[slice * width + column];
  dWeight[column] += total;
}

struct Slices {
  int64_t size, count;
};
Slices slicesOf(const NormShape& shape) {
  const int64_t pieces = shape.rows * shape.groups, even = blocksOf(pieces, kSlices);
  const int64_t size = even > kSmallestSlice ? even : kSmallestSlice;
  return {size, blocksOf(pieces, size)};
}

}  // namespace

template <class X, class Y>
void rmsNorm(const X* x, const float* weight, Y* y, float* rstd, const NormShape& shape, float eps,
             cudaStream_t stream) {
  const int64_t pieces = shape.rows * shape.groups;
  if (pieces == 0) return;
  if (shape.width <= kNarrow) {
    LAUNCH((rmsNormKernel<kWarp, X, Y>), dim3(pieces), dim3(kWarp), stream, x, weight, y, rstd, shape, eps);
  } else {
    LAUNCH((rmsNormKernel<kBlock, X, Y>), dim3(pieces), dim3(kBlock), stream, x, weight, y, rstd, shape, eps);
  }
}

int64_t normScratch(const NormShape& shape) { return slicesOf(shape).count * shape.width; }

template <class G, class X, class D>
void rmsNormBackward(const G* dy, const X* x, const float* weight, const float* rstd, D* dx, float* dWeight,
                     float* scratch, const NormShape& shape, cudaStream_t stream) {
  const int64_t pieces = shape.rows * shape.groups;
  if (pieces == 0) return;
  if (dWeight != nullptr) {  // before dx, which may take the place of dy
    const unsigned columns = blocksOf(shape.width, kBlock);
    const Slices slices = slicesOf(shape);
    LAUNCH((weightGradientKernel<G, X>), dim3(columns, slices.count), dim3(kBlock), stream, dy, x, rstd,
           scratch, shape, slices.size);
    LAUNCH(addSlicesKernel, dim3(columns), dim3(kBlock), stream, scratch, dWeight, slices.count, shape.width);
  }
  if (shape.width <= kNarrow) {
    LAUNCH((rmsNormBackwardKernel<kWarp, G, X, D>), dim3(pieces), dim3(kWarp), stream, dy, x, weight, rstd,
           dx, shape);
  } else {
    LAUNCH((rmsNormBackwardKernel<kBlock, G, X, D>), dim3(pieces), dim3(kBlock), stream, dy, x, weight, rstd,
           dx, shape);
  }
}

#define FOR_TYPES(X, T)                                                                             \
  template void rmsNorm(const X*, const float*, T*, float*, const NormShape&, float, cudaStream_t); \
  template void rmsNormBackward(const T*, const X*, const float*, const float*, X*, float*, float*, \
                                const NormShape&, cudaStream_t);
FOR_TYPES(float, float)
FOR_TYPES(float, bfloat16)
FOR_TYPES(float, float16)
FOR_TYPES(bfloat16, bfloat16)
FOR_TYPES(float16, float16)

}  // namespace adaptive::cuda
