#pragma once
#include "core/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

template <class T>
void rotate(T* x, const float* cos, const float* sin, int64_t rows, int64_t rowStride, int64_t heads,
            int64_t headDim, int64_t rotary, float sign) {
  const int64_t half = rotary / 2;
  const Vec direction(sign);
  for (int64_t r = 0; r < rows; r++, x += rowStride, cos += half, sin += half) {
    for (int64_t h = 0; h < heads; h++) {
      T* first = x + h * headDim;
      T* second = first + half;
      forVectors(0, half, [&](int64_t i, int64_t n) {
        const Vec a = loadPart(first + i, n), b = loadPart(second + i, n);
        const Vec c = loadPart(cos + i, n), s = loadPart(sin + i, n) * direction;
        storePart(first + i, a * c - b * s, n);
        storePart(second + i, b * c + a * s, n);
      });
    }
  }
}

inline Vec sigmoid(const Vec& v) { return Vec(1.f) / (Vec(1.f) + v.neg().exp()); }

template <class T>
void swigluForward(const T* gateUp, T* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, gateUp += 2 * width, y += width) {
    forVectors(0, width, [&](int64_t i, int64_t n) {
      const Vec gate = loadPart(gateUp + i, n);
      storePart(y + i, gate * sigmoid(gate) * loadPart(gateUp + width + i, n), n);
    });
  }
}

template <class T>
void swigluBackward(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, gateUp += 2 * width, dGateUp += 2 * width, dy += width) {
    forVectors(0, width, [&](int64_t i, int64_t n) {
      const Vec gate = loadPart(gateUp + i, n), up = loadPart(gateUp + width + i, n),
                grad = loadPart(dy + i, n);
      const Vec s = sigmoid(gate), silu = gate * s;
      storePart(dGateUp + i, grad * up * (s + silu * (Vec(1.f) - s)), n);
      storePart(dGateUp + width + i, grad * silu, n);
    });
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
