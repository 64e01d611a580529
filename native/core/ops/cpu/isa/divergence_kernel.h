// KL(base ‖ model) of one token over the whole vocabulary, and its gradient with respect to the model's
// logits.
#pragma once
#include <cmath>
#include <utility>

#include "core/ops/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// Entries that are summed in float before their sum joins a double: a long row keeps its digits.
constexpr int64_t kSummedInFloat = 2048;

/// Σ f(offset, count) over the vectors of a row.
template <class F>
inline double rowSum(int64_t vocab, const F& f) {
  double total = 0;
  for (int64_t first = 0; first < vocab; first += kSummedInFloat) {
    Vec part(0.f);
    forVectors(first, std::min(vocab, first + kSummedInFloat),
               [&](int64_t i, int64_t n) { part = part + firstLanes(f(i, n), n, 0.f); });
    total += sum(part);
  }
  return total;
}

/// (max(z), log Σ exp(z − max))
template <class T>
inline std::pair<float, double> logSumOf(const T* logits, int64_t vocab) {
  const float lowest = -std::numeric_limits<float>::infinity();
  Vec best(lowest);
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    best = at::vec::maximum(best, firstLanes(loadPart(logits + i, n), n, lowest));
  });
  float lanes[kVec];
  best.store(lanes);
  float max = lanes[0];
  for (const float lane : lanes) max = (lane > max || lane != lane) ? lane : max;
  const Vec shift(max);
  const double total =
      rowSum(vocab, [&](int64_t i, int64_t n) { return (loadPart(logits + i, n) - shift).exp(); });
  return {max, std::log(total)};
}

template <class T>
double divergence(T* logits, const T* base, int64_t vocab, float weight, float cap) {
  const auto [max, logSum] = logSumOf(logits, vocab);
  const auto [baseMax, baseLogSum] = logSumOf(base, vocab);
  // log p₀ − log p = (z₀ − z) − shift: the difference of neighbouring logits is exact, and that of the two
  // normalisers is formed in double.
  const Vec shift(static_cast<float>((static_cast<double>(baseMax) - max) + (baseLogSum - logSum)));
  const Vec top(max), rest(static_cast<float>(logSum)), one(1.f), scale(-weight);
  const Vec inverse(cap > 0 ? 1.f / cap : 0.f);
  return rowSum(vocab, [&](int64_t i, int64_t n) {
    const Vec z = loadPart(logits + i, n), d = (loadPart(base + i, n) - z) - shift;
    const Vec logP = (z - top) - rest, p = logP.exp();
    // p₀ − p as p·expm1(d) keeps its digits near 0, and as a plain difference far from it, where p may be 0
    // and expm1 infinite.
    const Vec p0 = (logP + d).exp(), isFar = d > one;
    const Vec near = at::vec::minimum(d, one), grown = near.expm1();
    const Vec difference = Vec::blendv(p * grown, p0 - p, isFar);
    if (weight > 0) {
      const Vec t = z * inverse;
      storePart(logits + i, scale * difference * (one - t * t), n);
    }
    // Σ p₀·d as Σ (p₀·d − p₀ + p): no term is negative, so that a small divergence is not a difference of
    // large sums.
    return Vec::blendv(p * (near + (near - one) * grown), p0 * d - difference, isFar);
  });
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
