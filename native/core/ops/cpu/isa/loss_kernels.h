#pragma once
#include <algorithm>
#include <limits>

#include "core/ops/cpu/isa/vec.h"
#include "core/ops/cpu/kernels.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// Max of the row and, in the same sweep, how many entries are greater than `threshold`.
template <class T>
inline float maxAndRank(const T* logits, int64_t vocab, float threshold, int32_t* rank) {
  const float lowest = -std::numeric_limits<float>::infinity();
  Vec best(lowest), greater(0.f);
  const Vec bound(threshold), one(1.f);
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    const Vec z = firstLanes(loadPart(logits + i, n), n, lowest);
    best = at::vec::maximum(best, z);  // propagates NaN
    greater = greater + ((z > bound) & one);
  });
  float lanes[kVec];
  best.store(lanes);
  float max = lanes[0];
  for (float lane : lanes) max = (lane > max || lane != lane) ? lane : max;
  *rank = static_cast<int32_t>(sum(greater));
  return max;
}

template <class T>
inline int32_t firstIndexOf(const T* logits, int64_t vocab, float value) {
  for (int64_t i = 0; i < vocab; i++) {
    if (toFloat(logits[i]) == value) return static_cast<int32_t>(i);
  }
  return -1;
}

template <class T>
void tokenStatistics(const T* logits, int64_t vocab, int32_t label, TokenStatisticsRow* out) {
  const float labelLogit = toFloat(logits[label]);
  const float max = maxAndRank(logits, vocab, labelLogit, &out->rank);
  out->max = max;
  out->argmax = firstIndexOf(logits, vocab, max);
  if (out->argmax < 0 || !std::isfinite(max)) {
    out->nll = out->topNll = out->entropy = out->meanNll = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  // The first choice is left out of the sum and comes back through log1p, so that a confident token keeps its
  // digits: a tail of 1e-12 would vanish beside 1.
  double tail = 0, weighted = 0, deviation = 0;
  const Vec shift(max);
  const auto accumulate = [&](int64_t begin, int64_t end) {
    Vec sums(0.f), moments(0.f);
    constexpr int64_t kStretch =
        128 * kVec;  // terms of one size: float32 loses digits over a whole vocabulary
    for (int64_t from = begin; from < end; from += kStretch) {
      Vec deviations(0.f);
      forVectors(from, std::min(end, from + kStretch), [&](int64_t i, int64_t n) {
        const Vec z = firstLanes(loadPart(logits + i, n) - shift, n, 0.f);
        const Vec e = firstLanes(z.exp(), n, 0.f);
        sums = sums + e;
        moments = at::vec::fmadd(e, z, moments);
        deviations = deviations + z;
      });
      deviation += sum(deviations);
    }
    tail += sum(sums);
    weighted += sum(moments);
  };
  accumulate(0, out->argmax);
  accumulate(out->argmax + 1, vocab);
  const double topNll = std::log1p(tail);
  out->topNll = static_cast<float>(topNll);
  out->nll = static_cast<float>(topNll + (static_cast<double>(max) - labelLogit));
  out->entropy = static_cast<float>(topNll - weighted / (1.0 + tail));
  out->meanNll = static_cast<float>(topNll - deviation / static_cast<double>(vocab));
}

/// Puts `value` in its place among `largest`, in descending order; the smallest drops out.
inline void insertLargest(float value, float* largest, int64_t k) {
  int64_t i = k - 1;
  for (; i > 0 && largest[i - 1] < value; i--) largest[i] = largest[i - 1];
  largest[i] = value;
}

template <class T>
float topKEntropy(const T* logits, int64_t vocab, float* largest, int64_t k) {
  const float lowest = -std::numeric_limits<float>::infinity();
  std::fill_n(largest, k, lowest);
  bool hasNan = false;
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    const Vec z = firstLanes(loadPart(logits + i, n), n, lowest);
    float lanes[kVec];
    z.store(lanes);
    bool any =
        false;  // one pass over lanes in registers; past the first few vectors it is nearly always false
    for (const float lane : lanes) any |= !(lane <= largest[k - 1]);
    if (!any) return;
    for (const float lane : lanes) {
      if (lane > largest[k - 1]) insertLargest(lane, largest, k);
      hasNan |= lane != lane;
    }
  });
  if (hasNan || !std::isfinite(largest[0])) return std::numeric_limits<float>::quiet_NaN();
  // With d = z − max: H = log Σeᵈ − Σ d·eᵈ / Σeᵈ.
  double total = 0, weighted = 0;
  for (int64_t i = 0; i < k && largest[i] > lowest; i++) {
    const double d = static_cast<double>(largest[i]) - largest[0], e = std::exp(d);
    total += e, weighted += d * e;
  }
  return static_cast<float>(std::log(total) - weighted / total);
}

template <class T>
void firstChoices(const T* logits, int64_t vocab, float* largest, int32_t* ids, int64_t k) {
  const float lowest = -std::numeric_limits<float>::infinity();
  std::fill_n(largest, k, lowest);
  std::fill_n(ids, k, -1);
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    const Vec z = firstLanes(loadPart(logits + i, n), n, lowest);
    float lanes[kVec];
    z.store(lanes);
    bool any = false;
    for (const float lane : lanes) any |= lane > largest[k - 1];
    if (!any) return;
    for (int64_t lane = 0; lane < n; lane++) {
      // Not greater, an equal one stays behind those that came before it.
      if (!(lanes[lane] > largest[k - 1])) continue;
      int64_t at = k - 1;
      for (; at > 0 && largest[at - 1] < lanes[lane]; at--)
        largest[at] = largest[at - 1], ids[at] = ids[at - 1];
      largest[at] = lanes[lane], ids[at] = static_cast<int32_t>(i + lane);
    }
  });
}

template <class T>
void softCap(T* x, int64_t count, float cap) {
  const Vec bound(cap), inverse(1.f / cap);
  forVectors(0, count, [&](int64_t i, int64_t n) {
    storePart(x + i, bound * (loadPart(x + i, n) * inverse).tanh(), n);
  });
}

/// The gradient with respect to l of z = cap·tanh(l/cap): that of z times 1 − (z/cap)².
template <class T>
void cappedLossGradient(T* logits, int64_t vocab, const TokenGradientRow& token) {
  const float spread = token.a * token.smoothing / static_cast<float>(vocab),
              onLabel = token.a * (1 - token.smoothing);
  const Vec scale(token.a + token.b), max(token.max), topNll(token.topNll), one(1.f),
      inverse(1.f / token.cap), uniform(spread);
  const float label = toFloat(logits[token.label]), best = toFloat(logits[token.argmax]);
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    const Vec z = loadPart(logits + i, n), t = z * inverse;
    storePart(logits + i, (scale * ((z - max) - topNll).exp() - uniform) * (one - t * t), n);
  });
  const auto slope = [&](float z) { return 1 - (z / token.cap) * (z / token.cap); };
  const float missing = std::expm1(-token.topNll);
  if (token.label == token.argmax) {
    const float returned = token.a * token.smoothing - spread;
    logits[token.argmax] = static_cast<T>(((token.a + token.b) * missing + returned) * slope(best));
  } else {
    const float probability = std::exp((label - token.max) - token.topNll);
    logits[token.label] =
        static_cast<T>(((token.a + token.b) * probability - onLabel - spread) * slope(label));
    logits[token.argmax] =
        static_cast<T>((token.a * std::exp(-token.topNll) + token.b * missing - spread) * slope(best));
  }
}

template <class T>
void lossGradient(T* logits, int64_t vocab, const TokenGradientRow& token) {
  // A NaN among the logits leaves no first choice to index with, and no gradient.
  if (token.argmax < 0) return void(std::fill_n(logits, vocab, std::numeric_limits<T>::quiet_NaN()));
  if (token.cap > 0) return cappedLossGradient(logits, vocab, token);
  const float spread = token.a * token.smoothing / static_cast<float>(vocab);
  const Vec scale(token.a + token.b), max(token.max), topNll(token.topNll), uniform(spread);
  forVectors(0, vocab, [&](int64_t i, int64_t n) {
    // Subtracting the two parts of logsumexp one after the other keeps the precision of a tiny topNll.
    storePart(logits + i, scale * ((loadPart(logits + i, n) - max) - topNll).exp() - uniform, n);
  });
  // softmax − 1 at the first choice as expm1: exact when the token is (nearly) certain.
  const float missing = std::expm1(-token.topNll);
  if (token.label == token.argmax) {
    logits[token.argmax] =
        static_cast<T>((token.a + token.b) * missing + (token.a * token.smoothing - spread));
  } else {
    logits[token.label] = static_cast<T>(toFloat(logits[token.label]) - token.a * (1 - token.smoothing));
    logits[token.argmax] = static_cast<T>(token.a * std::exp(-token.topNll) + token.b * missing - spread);
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
