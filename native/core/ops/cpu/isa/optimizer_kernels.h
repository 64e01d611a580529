#pragma once
#include <algorithm>
#include <cmath>

#include "core/ops/cpu/isa/vec.h"
#include "core/ops/cpu/kernels.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

// The 8-bit dynamic code (core/optim/dynamic_code.h) by arithmetic instead of by table: a table costs a
// gather per value, which is slower than the dozen vector instructions of this. Decade i = 0 … 6 of the code
// ends at 10^(i−6) and is cut linearly into P·2^i fractions, P = 1 with a sign and 2 without. With r the
// number of a value's code counted from P·2^0 (the first value of decade 0), y = (r + 0.5)/P lies in [2^i,
// 2^(i+1)), and value = 10^(i−6)·(0.9·y/2^i − 0.8).

constexpr double kDecadeEnd[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};

inline Vec select(const Vec& whenFalse, float whenTrue, const Vec& mask) {
  return Vec::blendv(whenFalse, Vec(whenTrue), mask);
}

/// The value of y above.
inline Vec decodeFraction(const Vec& y) {
  Vec slope(static_cast<float>(0.9 * kDecadeEnd[0])), offset(static_cast<float>(-0.8 * kDecadeEnd[0]));
  for (int i = 1; i < 7; i++) {
    const Vec reached = y >= Vec(static_cast<float>(1 << i));
    slope = select(slope, static_cast<float>(0.9 * kDecadeEnd[i] / (1 << i)), reached);
    offset = select(offset, static_cast<float>(-0.8 * kDecadeEnd[i]), reached);
  }
  return at::vec::fmadd(y, slope, offset);
}

/// The r of the value of the code nearest to x in (0, 1); 0 and 1 themselves are the callers'.
template <int P>
inline Vec encodeFraction(const Vec& x) {
  Vec slope(static_cast<float>(1 / (0.9 * kDecadeEnd[0]))), power(1.f);
  for (int i = 1; i < 7; i++) {
    // Half way between the last value of a decade and the first of the next.
    const double border = kDecadeEnd[i - 1] * (1 + 1.8 / (P << i));
    const Vec reached = x > Vec(static_cast<float>(border));
    slope = select(slope, static_cast<float>((1 << i) / (0.9 * kDecadeEnd[i])), reached);
    power = select(power, static_cast<float>(1 << i), reached);
  }
  const Vec y = at::vec::fmadd(x, slope, power * Vec(static_cast<float>(0.8 / 0.9)));
  // What lies between a decade's last value and its border is the last value's.
  return at::vec::minimum((y * Vec(static_cast<float>(P))).floor(),
                          at::vec::fmadd(power, Vec(2.f * P), Vec(-1.f)));
}

constexpr float smallestOf(int p) { return static_cast<float>(1e-6 * (0.1 + 0.45 / p)); }
constexpr float borderOfOne(int p) { return static_cast<float>(1 - 0.225 / (64 * p)); }

/// Codes with a sign: 127 is 0, 128 … 254 the positive values, 255 is 1, 126 … 0 the negative values.
inline Vec decodeSigned(const Vec& code) {
  const Vec m = code - Vec(127.f), size = m.abs();
  Vec value = decodeFraction(size + Vec(0.5f));
  value = select(value, 1.f, size > Vec(127.5f));
  value = select(value, 0.f, size < Vec(0.5f));
  return Vec::blendv(value, value.neg(), m < Vec(0.f));
}
inline Vec encodeSigned(const Vec& x) {
  const Vec size = x.abs();
  Vec r = select(encodeFraction<1>(size), 0.f, size <= Vec(smallestOf(1) / 2));
  r = select(r, 128.f, x > Vec(borderOfOne(1)));
  return Vec(127.f) + Vec::blendv(r, r.neg(), x < Vec(0.f));
}

/// Codes without: 0 is 0, 1 … 254 the values, 255 is 1.
inline Vec decodeUnsigned(const Vec& code) {
  Vec value = decodeFraction((code + Vec(1.5f)) * Vec(0.5f));
  value = select(value, 1.f, code > Vec(254.5f));
  return select(value, 0.f, code < Vec(0.5f));
}
inline Vec encodeUnsigned(const Vec& x) {
  const Vec code = select(encodeFraction<2>(x) - Vec(1.f), 0.f, x <= Vec(smallestOf(2) / 2));
  return select(code, 255.f, x > Vec(borderOfOne(2)));
}

// The loops have a constant trip count, so they become a handful of vector instructions.
inline Vec loadCodes(const uint8_t* codes, int64_t n) {
  uint8_t padded[kVec] = {};
  float values[kVec];
  if (n < kVec) {
    std::memcpy(padded, codes, n);
    codes = padded;
  }
  for (int64_t i = 0; i < kVec; i++) values[i] = static_cast<float>(codes[i]);
  return Vec::loadu(values);
}
inline void storeCodes(uint8_t* codes, const Vec& v, int64_t n) {
  float values[kVec];
  uint8_t packed[kVec];
  v.store(values);
  for (int64_t i = 0; i < kVec; i++) packed[i] = static_cast<uint8_t>(static_cast<int32_t>(values[i]));
  std::memcpy(codes, packed, n);
}

inline float largestLane(const Vec& v) {
  float lanes[kVec];
  v.store(lanes);
  return *std::max_element(lanes, lanes + kVec);
}

ADAPTIVE_FLATTEN inline void adam8bitBlock(float* weight, const float* gradient, uint8_t* codes1,
                                           float* scale1, uint8_t* codes2, float* scale2, int64_t count,
                                           const AdamRates& rates) {
  float moments1[kMomentBlock], moments2[kMomentBlock];
  const Vec beta1(rates.beta1), rest1(1 - rates.beta1), beta2(rates.beta2), rest2(1 - rates.beta2);
  const Vec oldScale1(*scale1), oldScale2(*scale2), gradientScale(rates.gradientScale);
  const Vec stepSize(rates.stepSize), epsilon(rates.epsilon), decay(rates.decay);
  Vec largest1(0.f), largest2(0.f);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    const Vec g = loadPart(gradient + i, n) * gradientScale;
    const Vec m1 = decodeSigned(loadCodes(codes1 + i, n)) * oldScale1 * beta1 + rest1 * g;
    const Vec m2 = decodeUnsigned(loadCodes(codes2 + i, n)) * oldScale2 * beta2 + rest2 * g * g;
    const Vec step = stepSize * m1 / (m2.sqrt() + epsilon);
    storePart(weight + i, loadPart(weight + i, n) * decay - step, n);
    storePart(moments1 + i, m1, n);
    storePart(moments2 + i, m2, n);
    largest1 = at::vec::maximum(largest1, firstLanes(m1.abs(), n, 0.f));
    largest2 = at::vec::maximum(largest2, firstLanes(m2, n, 0.f));
  });
  *scale1 = largestLane(largest1), *scale2 = largestLane(largest2);
  const Vec inverse1(*scale1 > 0 ? 1 / *scale1 : 0.f), inverse2(*scale2 > 0 ? 1 / *scale2 : 0.f);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    storeCodes(codes1 + i, encodeSigned(loadPart(moments1 + i, n) * inverse1), n);
    storeCodes(codes2 + i, encodeUnsigned(loadPart(moments2 + i, n) * inverse2), n);
  });
}

ADAPTIVE_FLATTEN inline void decodeBlock(const uint8_t* codes, float scale, float* values, int64_t count,
                                         bool isSigned) {
  const Vec factor(scale);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    const Vec code = loadCodes(codes + i, n);
    storePart(values + i, (isSigned ? decodeSigned(code) : decodeUnsigned(code)) * factor, n);
  });
}

ADAPTIVE_FLATTEN inline void encodeBlock(const float* values, uint8_t* codes, float* scale, int64_t count,
                                         bool isSigned) {
  Vec largest(0.f);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    largest = at::vec::maximum(largest, firstLanes(loadPart(values + i, n).abs(), n, 0.f));
  });
  *scale = largestLane(largest);
  const Vec inverse(*scale > 0 ? 1 / *scale : 0.f);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    const Vec x = loadPart(values + i, n) * inverse;
    storeCodes(codes + i, isSigned ? encodeSigned(x) : encodeUnsigned(x), n);
  });
}

ADAPTIVE_FLATTEN inline void lion(float* weight, const float* gradient, float* moment, int64_t count,
                                  const LionRates& rates) {
  const Vec beta1(rates.beta1), rest1(1 - rates.beta1), beta2(rates.beta2), rest2(1 - rates.beta2);
  const Vec rate(rates.learningRate), decay(rates.decay), scale(rates.gradientScale), zero(0.f);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    const Vec g = loadPart(gradient + i, n) * scale, m = loadPart(moment + i, n);
    const Vec direction = beta1 * m + rest1 * g;
    const Vec sign = select(select(zero, 1.f, direction > zero), -1.f, direction < zero);
    storePart(weight + i, loadPart(weight + i, n) * decay - rate * sign, n);
    storePart(moment + i, beta2 * m + rest2 * g, n);
  });
}

/// 16 random bits of a counter: two rounds of a 32-bit multiply-xorshift mix.
inline uint32_t mixed(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x >> 16;
}

ADAPTIVE_FLATTEN inline void roundStochastically(const float* from, c10::BFloat16* to, int64_t count,
                                                 uint32_t key, int64_t firstIndex) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    const uint32_t noise = mixed(static_cast<uint32_t>(firstIndex + i) ^ key);
    // Infinity and NaN have nothing to round.
    const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    to[i].x = static_cast<uint16_t>((bits + (finite ? noise : 0u)) >> 16);
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
