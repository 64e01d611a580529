#pragma once
#include <algorithm>
#include <limits>

#include "core/ops/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

struct Span {
  int64_t first, last;
};

inline Span seen(int64_t row, int64_t keys, int64_t firstLast, int64_t window) {
  const int64_t end = firstLast + row, last = std::clamp<int64_t>(end, 0, keys);
  return {window > 0 ? std::clamp<int64_t>(end - window, 0, last) : 0, last};
}

/// cap·tanh(scale·score/cap) of what is seen, in place.
inline void capScores(float* scores, int64_t first, int64_t last, float scale, float cap) {
  const Vec bound(cap), factor(scale / cap);
  forVectors(first, last, [&](int64_t i, int64_t n) {
    storePart(scores + i, bound * (loadPart(scores + i, n) * factor).tanh(), n);
  });
}

inline void softmaxPart(float* scores, float* max, double* sum, float* factor, int64_t rows, int64_t keys,
                        int64_t firstLast, int64_t window, float scale, float cap) {
  const float lowest = -std::numeric_limits<float>::infinity();
  const float multiplier = cap > 0 ? 1.f : scale;
  const Vec by(multiplier);
  for (int64_t r = 0; r < rows; r++, scores += keys) {
    const auto [first, last] = seen(r, keys, firstLast, window);
    std::fill(scores, scores + first, 0.f);
    std::fill(scores + last, scores + keys, 0.f);
    factor[r] = 1;
    if (first == last) continue;
    if (cap > 0) capScores(scores, first, last, scale, cap);
    Vec best(lowest);
    forVectors(first, last, [&](int64_t i, int64_t n) {
      best = at::vec::maximum(best, firstLanes(loadPart(scores + i, n), n, lowest));
    });
    float lanes[kVec], largest = lowest;
    best.store(lanes);
    for (float lane : lanes) largest = (lane > largest || lane != lane) ? lane : largest;
    largest *= multiplier;
    const float before = max[r];
    if (largest > before || largest != largest) max[r] = largest;
    Vec sums(0.f);
    const Vec shift(max[r]);
    forVectors(first, last, [&](int64_t i, int64_t n) {
      const Vec e = (loadPart(scores + i, n) * by - shift).exp();
      storePart(scores + i, e, n);
      sums = sums + firstLanes(e, n, 0.f);
    });
    factor[r] = std::exp(before - max[r]);
    sum[r] = sum[r] * factor[r] + CPU_CAPABILITY::sum(sums);
  }
}

inline void softmaxFromLse(float* scores, const float* lse, int64_t rows, int64_t keys, int64_t firstLast,
                           int64_t window, float scale, float cap) {
  const Vec factor(cap > 0 ? 1.f : scale);
  for (int64_t r = 0; r < rows; r++, scores += keys) {
    const auto [first, last] = seen(r, keys, firstLast, window);
    if (cap > 0) capScores(scores, first, last, scale, cap);
    const Vec shift(lse[r]);
    forVectors(first, last, [&](int64_t i, int64_t n) {
      storePart(scores + i, (loadPart(scores + i, n) * factor - shift).exp(), n);
    });
    std::fill(scores, scores + first, 0.f);
    std::fill(scores + last, scores + keys, 0.f);
  }
}

inline void softmaxBackward(const float* p, float* dP, const float* delta, const float* lse, int64_t rows,
                            int64_t keys, float scale, float cap) {
  const Vec factor(scale);
  for (int64_t r = 0; r < rows; r++, p += keys, dP += keys) {
    const Vec mean(delta[r]);
    forVectors(0, keys, [&](int64_t i, int64_t n) {
      storePart(dP + i, factor * loadPart(p + i, n) * (loadPart(dP + i, n) - mean), n);
    });
    if (cap <= 0) continue;
    // The capped score is log p + lse. Where p is 0 (not seen, or too small for a float) so is the gradient;
    // the smallest normal float only keeps the logarithm finite there.
    const Vec sum(lse[r]), inverse(1.f / cap), one(1.f), smallest(std::numeric_limits<float>::min());
    forVectors(0, keys, [&](int64_t i, int64_t n) {
      const Vec t = (at::vec::maximum(loadPart(p + i, n), smallest).log() + sum) * inverse;
      storePart(dP + i, loadPart(dP + i, n) * (one - t * t), n);
    });
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
