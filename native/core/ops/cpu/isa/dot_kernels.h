#pragma once
#include <algorithm>
#include <vector>

#include "core/ops/cpu/isa/attention_kernels.h"
#include "core/ops/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// The lanes of a vector, added pairwise.
inline float pairwiseSum(const Vec& v) {
  float lanes[kVec];
  v.store(lanes);
  for (int64_t half = kVec / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

/// y[r][c] = x[r]·w[c] for R rows of x and C of w. Each is added up in an order of its own, whatever R and C.
/// Lanes behind the end are loaded as 0.
template <int R, int C, class X, class W, class Y>
ADAPTIVE_FLATTEN inline void dotBlock(const X* x, int64_t xStride, const W* w, int64_t wStride, Y* y,
                                      int64_t yStride, int64_t inner) {
  Vec sums[R][C];
  for (int r = 0; r < R; r++)
    for (int c = 0; c < C; c++) sums[r][c] = Vec(0.f);
  forVectors(0, inner, [&](int64_t i, int64_t n) {
    Vec columns[C];
    for (int c = 0; c < C; c++) columns[c] = loadPart(w + c * wStride + i, n);
    for (int r = 0; r < R; r++) {
      const Vec row = loadPart(x + r * xStride + i, n);
      for (int c = 0; c < C; c++) sums[r][c] = at::vec::fmadd(row, columns[c], sums[r][c]);
    }
  });
  for (int r = 0; r < R; r++)
    for (int c = 0; c < C; c++) y[r * yStride + c] = Y(pairwiseSum(sums[r][c]));
}

template <int C, class X, class W, class Y>
inline void dotRows(const X* x, int64_t xStride, const W* w, int64_t wStride, Y* y, int64_t yStride,
                    int64_t rows, int64_t inner) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    dotBlock<4, C>(x + r * xStride, xStride, w, wStride, y + r * yStride, yStride, inner);
  for (; r < rows; r++) dotBlock<1, C>(x + r * xStride, xStride, w, wStride, y + r * yStride, yStride, inner);
}

template <class X, class W, class Y>
inline void dots(const X* x, int64_t xStride, const W* w, int64_t wStride, Y* y, int64_t yStride,
                 int64_t rows, int64_t columns, int64_t inner) {
  int64_t c = 0;
  for (; c + 4 <= columns; c += 4)
    dotRows<4>(x, xStride, w + c * wStride, wStride, y + c, yStride, rows, inner);
  for (; c < columns; c++) dotRows<1>(x, xStride, w + c * wStride, wStride, y + c, yStride, rows, inner);
}

template <class T>
void thinProduct(const float* x, const T* w, int64_t wStride, T* y, int64_t yStride, int64_t rows,
                 int64_t columns, int64_t inner) {
  dots(x, inner, w, wStride, y, yStride, rows, columns, inner);
}

template <class T>
void attendPart(const T* q, const T* k, const T* v, int64_t stride, int64_t group, int64_t headDim,
                int64_t keys, float scale, float cap, float* max, double* sum, float* out) {
  std::vector<float> weights(group * keys), factors(group);
  dots(q, headDim, k, stride, weights.data(), keys, group, keys, headDim);
  std::fill(max, max + group, -std::numeric_limits<float>::infinity());
  std::fill(sum, sum + group, 0.0);
  softmaxPart(weights.data(), max, sum, factors.data(), group, keys, keys, 0, scale, cap);
  for (int64_t head = 0; head < group; head++) {
    const float* own = weights.data() + head * keys;
    forVectors(0, headDim, [&](int64_t i, int64_t n) {
      Vec gathered(0.f);
      for (int64_t key = 0; key < keys; key++)
        gathered = at::vec::fmadd(Vec(own[key]), loadPart(v + key * stride + i, n), gathered);
      storePart(out + head * headDim + i, gathered, n);
    });
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
