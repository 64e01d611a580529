// One vector of floats loaded from, or stored to, float, BFloat16 or Half memory. Included only by files that
// are compiled once per instruction set.
#pragma once
#include <ATen/cpu/vec/vec.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstring>

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

// Of a loop whose vectors must stay in registers: all that it calls becomes part of it, however large the
// file that it stands in has grown.
#if defined(__GNUC__)
#define ADAPTIVE_FLATTEN __attribute__((flatten))
#else
#define ADAPTIVE_FLATTEN
#endif

using Vec = at::vec::Vectorized<float>;
constexpr int64_t kVec = Vec::size();

inline Vec load(const float* p) { return Vec::loadu(p); }
inline Vec load(const float* p, int64_t n) { return Vec::loadu(p, n); }
inline void store(float* p, const Vec& v) { v.store(p); }
inline void store(float* p, const Vec& v, int64_t n) { v.store(p, static_cast<int>(n)); }

inline float toFloat(float v) { return v; }
inline float toFloat(c10::BFloat16 v) { return static_cast<float>(v); }
inline float toFloat(c10::Half v) { return static_cast<float>(v); }

inline Vec load(const c10::BFloat16* p) {
  Vec values;
  at::vec::load_fp32_from_bf16(p, values);
  return values;
}
inline Vec load(const c10::BFloat16* p, int64_t n) {
  c10::BFloat16 padded[kVec] = {};
  std::memcpy(static_cast<void*>(padded), p, n * sizeof(c10::BFloat16));
  return load(padded);
}
// The loop has a constant trip count, so it becomes a handful of vector instructions.
inline void store(c10::BFloat16* p, const Vec& v) {
  uint32_t bits[kVec];
  float values[kVec];
  v.store(values);
  std::memcpy(bits, values, sizeof bits);
  for (int64_t i = 0; i < kVec; i++) {
    // Round to nearest, ties to even; a NaN stays one.
    const uint32_t rounded = (bits[i] + 0x7fffu + ((bits[i] >> 16) & 1u)) >> 16;
    const bool nan = (bits[i] & 0x7fffffffu) > 0x7f800000u;
    p[i].x = static_cast<uint16_t>(nan ? 0x7fc0u : rounded);
  }
}
inline void store(c10::BFloat16* p, const Vec& v, int64_t n) {
  c10::BFloat16 padded[kVec];
  store(padded, v);
  std::memcpy(static_cast<void*>(p), padded, n * sizeof(c10::BFloat16));
}

// float16 is slow on a CPU whatever is done here (there is no fast product in it), so these stay plain.
inline Vec load(const c10::Half* p, int64_t n) {
  float values[kVec] = {};
  for (int64_t i = 0; i < n; i++) values[i] = static_cast<float>(p[i]);
  return Vec::loadu(values);
}
inline Vec load(const c10::Half* p) { return load(p, kVec); }
inline void store(c10::Half* p, const Vec& v, int64_t n) {
  float values[kVec];
  v.store(values);
  for (int64_t i = 0; i < n; i++) p[i] = c10::Half(values[i]);
}
inline void store(c10::Half* p, const Vec& v) { store(p, v, kVec); }

/// f(offset, count): every full vector of [begin, end) with count == kVec, then the rest.
template <class F>
inline void forVectors(int64_t begin, int64_t end, const F& f) {
  int64_t i = begin;
  for (; i + kVec <= end; i += kVec) f(i, kVec);
  if (i < end) f(i, end - i);
}

template <class T>
inline Vec loadPart(const T* p, int64_t n) {
  return n == kVec ? load(p) : load(p, n);
}
template <class T>
inline void storePart(T* p, const Vec& v, int64_t n) {
  if (n == kVec) {
    store(p, v);
  } else {
    store(p, v, n);
  }
}

inline double sum(const Vec& v) {
  float lanes[kVec];
  v.store(lanes);
  double total = 0;
  for (float lane : lanes) total += lane;
  return total;
}

/// v where lane < n, `fill` elsewhere.
inline Vec firstLanes(const Vec& v, int64_t n, float fill) {
  if (n == kVec) return v;
  return Vec::set(Vec(fill), v, n);
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
