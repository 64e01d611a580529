#pragma once
#include "core/ops/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// y = x·rstd·(weight + offset) of one row; returns rstd.
template <class X, class Y>
inline float normRow(const X* x, const float* weight, Y* y, int64_t width, float eps, const Vec& offset) {
  Vec squares(0.f);
  forVectors(0, width, [&](int64_t i, int64_t n) {
    const Vec v = loadPart(x + i, n);
    squares = at::vec::fmadd(v, v, squares);
  });
  const auto rstd = static_cast<float>(1.0 / std::sqrt(sum(squares) / static_cast<double>(width) + eps));
  const Vec scale(rstd);
  forVectors(0, width, [&](int64_t i, int64_t n) {
    storePart(y + i, loadPart(x + i, n) * scale * (loadPart(weight + i, n) + offset), n);
  });
  return rstd;
}

/// dx of one row, which may be dy itself; dWeight (added to) may be null.
template <class G, class X, class D>
inline void normRowBackward(const G* dy, const X* x, const float* weight, float rstd, D* dx, float* dWeight,
                            int64_t width, const Vec& offset) {
  // With x̂ = x·rstd and w = weight + offset: dx = rstd·(dy·w − x̂·mean(dy·w·x̂)).
  const Vec scale(rstd);
  Vec products(0.f);
  forVectors(0, width, [&](int64_t i, int64_t n) {
    const Vec normed = loadPart(x + i, n) * scale, grad = loadPart(dy + i, n);
    products = at::vec::fmadd(grad * (loadPart(weight + i, n) + offset), normed, products);
    if (dWeight) storePart(dWeight + i, at::vec::fmadd(grad, normed, loadPart(dWeight + i, n)), n);
  });
  const Vec mean(static_cast<float>(sum(products) / static_cast<double>(width)));
  forVectors(0, width, [&](int64_t i, int64_t n) {
    const Vec normed = loadPart(x + i, n) * scale;
    storePart(dx + i, scale * (loadPart(dy + i, n) * (loadPart(weight + i, n) + offset) - normed * mean), n);
  });
}

template <class T>
void rmsNormForward(const float* x, const float* weight, T* y, float* rstd, int64_t rows, int64_t width,
                    float eps, float offset) {
  const Vec shift(offset);
  for (int64_t r = 0; r < rows; r++)
    rstd[r] = normRow(x + r * width, weight, y + r * width, width, eps, shift);
}

template <class T>
void rmsNormBackward(const T* dy, const float* x, const float* weight, const float* rstd, float* dx,
                     float* dWeight, int64_t rows, int64_t width, float offset) {
  const Vec shift(offset);
  for (int64_t r = 0; r < rows; r++, x += width, dy += width, dx += width)
    normRowBackward(dy, x, weight, rstd[r], dx, dWeight, width, shift);
}

template <class T>
void headNormForward(const T* x, const float* weight, T* y, float* rstd, int64_t rows, int64_t stride,
                     int64_t rstdStride, int64_t groups, int64_t width, float eps, float offset) {
  const Vec shift(offset);
  for (int64_t r = 0; r < rows; r++, x += stride, y += stride, rstd += rstdStride) {
    for (int64_t g = 0; g < groups; g++)
      rstd[g] = normRow(x + g * width, weight, y + g * width, width, eps, shift);
  }
}

template <class T>
void headNormBackward(T* grad, const T* x, const float* weight, const float* rstd, float* dWeight,
                      int64_t rows, int64_t stride, int64_t rstdStride, int64_t groups, int64_t width,
                      float offset) {
  const Vec shift(offset);
  for (int64_t r = 0; r < rows; r++, grad += stride, x += stride, rstd += rstdStride) {
    for (int64_t g = 0; g < groups; g++) {
      T* row = grad + g * width;
      normRowBackward(row, x + g * width, weight, rstd[g], row, dWeight, width, shift);
    }
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
