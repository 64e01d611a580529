#pragma once
#include "core/activation.h"
#include "core/ops/cpu/isa/vec.h"

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

template <class T>
void rotateInterleaved(T* x, const float* cos, const float* sin, int64_t rows, int64_t rowStride,
                       int64_t heads, int64_t headDim, int64_t rotary, float sign) {
  const int64_t half = rotary / 2;
  for (int64_t r = 0; r < rows; r++, x += rowStride, cos += half, sin += half) {
    for (int64_t h = 0; h < heads; h++) {
      T* pair = x + h * headDim;
      for (int64_t i = 0; i < half; i++, pair += 2) {
        const auto a = static_cast<float>(pair[0]), b = static_cast<float>(pair[1]);
        const float c = cos[i], s = sin[i] * sign;
        pair[0] = static_cast<T>(a * c - b * s);
        pair[1] = static_cast<T>(b * c + a * s);
      }
    }
  }
}

inline Vec sigmoid(const Vec& v) { return Vec(1.f) / (Vec(1.f) + v.neg().exp()); }

/// An activation and its slope.
struct Activated {
  Vec value, slope;
};

struct SiluAt {
  static Vec value(const Vec& x) { return x * sigmoid(x); }
  static Activated both(const Vec& x) {
    const Vec s = sigmoid(x), silu = x * s;
    return {silu, s + silu * (Vec(1.f) - s)};
  }
};

struct GeluTanhAt {
  static constexpr float kScale = 0.7978845608028654f, kCubic = 0.044715f;  // √(2/π), Hendrycks & Gimpel 2016
  static Vec value(const Vec& x) { return both(x).value; }
  static Activated both(const Vec& x) {
    const Vec one(1.f), half(0.5f), square = x * x;
    const Vec t = (Vec(kScale) * x * (one + Vec(kCubic) * square)).tanh();
    const Vec inner = Vec(kScale) * (one + Vec(3 * kCubic) * square);
    return {half * x * (one + t), half * (one + t) + half * x * (one - t * t) * inner};
  }
};

struct GeluAt {
  static constexpr float kHalfRoot = 0.7071067811865476f, kDensity = 0.3989422804014327f;  // 1/√2, 1/√(2π)
  static Vec cumulative(const Vec& x) { return Vec(0.5f) * (Vec(1.f) + (x * Vec(kHalfRoot)).erf()); }
  static Vec value(const Vec& x) { return x * cumulative(x); }
  static Activated both(const Vec& x) {
    const Vec c = cumulative(x);
    return {x * c, c + x * Vec(kDensity) * (x * x * Vec(-0.5f)).exp()};
  }
};

struct ReluAt {
  static Vec value(const Vec& x) { return at::vec::maximum(x, Vec(0.f)); }
  static Activated both(const Vec& x) { return {value(x), (x > Vec(0.f)) & Vec(1.f)}; }
};

/// f(the struct of `activation`): chosen once per call, not per entry.
template <class F>
inline void withActivation(Activation activation, const F& f) {
  switch (activation) {
    case Activation::GeluTanh:
      return f(GeluTanhAt{});
    case Activation::Gelu:
      return f(GeluAt{});
    case Activation::Relu:
      return f(ReluAt{});
    default:
      return f(SiluAt{});
  }
}

template <class T>
void gatedForward(const T* gateUp, T* y, int64_t rows, int64_t width, Activation activation) {
  withActivation(activation, [=](auto kind) {
    const T* from = gateUp;
    T* to = y;
    for (int64_t r = 0; r < rows; r++, from += 2 * width, to += width) {
      forVectors(0, width, [&](int64_t i, int64_t n) {
        storePart(to + i, decltype(kind)::value(loadPart(from + i, n)) * loadPart(from + width + i, n), n);
      });
    }
  });
}

template <class T>
void gatedBackward(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width,
                   Activation activation) {
  withActivation(activation, [=](auto kind) {
    const T *grads = dy, *from = gateUp;
    T* to = dGateUp;
    for (int64_t r = 0; r < rows; r++, from += 2 * width, to += 2 * width, grads += width) {
      forVectors(0, width, [&](int64_t i, int64_t n) {
        const Vec up = loadPart(from + width + i, n), grad = loadPart(grads + i, n);
        const Activated gate = decltype(kind)::both(loadPart(from + i, n));
        storePart(to + i, grad * up * gate.slope, n);
        storePart(to + width + i, grad * gate.value, n);
      });
    }
  });
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
