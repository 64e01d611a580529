#pragma once
#include "core/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

template <class T>
void rmsNormForward(const float* x, const float* weight, T* y, float* rstd, int64_t rows, int64_t width,
                    float eps) {
  for (int64_t r = 0; r < rows; r++, x += width, y += width) {
    Vec squares(0.f);
    forVectors(0, width, [&](int64_t i, int64_t n) {
      const Vec v = loadPart(x + i, n);
      squares = at::vec::fmadd(v, v, squares);
    });
    rstd[r] = static_cast<float>(1.0 / std::sqrt(sum(squares) / static_cast<double>(width) + eps));
    const Vec scale(rstd[r]);
    forVectors(0, width, [&](int64_t i, int64_t n) {
      storePart(y + i, loadPart(x + i, n) * scale * loadPart(weight + i, n), n);
    });
  }
}

template <class T>
void rmsNormBackward(const T* dy, const float* x, const float* weight, const float* rstd, float* dx,
                     float* dWeight, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, x += width, dy += width, dx += width) {
    // With x̂ = x·rstd: dx = rstd·(dy·w − x̂·mean(dy·w·x̂)).
    const Vec scale(rstd[r]);
    Vec products(0.f);
    forVectors(0, width, [&](int64_t i, int64_t n) {
      const Vec normed = loadPart(x + i, n) * scale, grad = loadPart(dy + i, n);
      products = at::vec::fmadd(grad * loadPart(weight + i, n), normed, products);
      if (dWeight) storePart(dWeight + i, at::vec::fmadd(grad, normed, loadPart(dWeight + i, n)), n);
    });
    const Vec mean(static_cast<float>(sum(products) / static_cast<double>(width)));
    forVectors(0, width, [&](int64_t i, int64_t n) {
      const Vec normed = loadPart(x + i, n) * scale;
      storePart(dx + i, scale * (loadPart(dy + i, n) * loadPart(weight + i, n) - normed * mean), n);
    });
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
