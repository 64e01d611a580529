// Logits with labels and weights, and what float64 makes of them.
#pragma once
#include <algorithm>
#include <cmath>

#include "check.h"

namespace adaptive::test {

/// What float64 says of one row.
struct RowTruth {
  double nll, topNll, max, entropy, meanNll;
  int rank, argmax;
};

inline RowTruth truthOf(const std::vector<double>& z, int label) {
  RowTruth truth{NAN, NAN, NAN, NAN, NAN, 0, -1};
  bool nan = false;
  for (size_t i = 0; i < z.size(); i++) {
    nan |= z[i] != z[i];
    truth.rank += z[i] > z[label];
    if (truth.argmax < 0 || z[i] > truth.max) truth.max = z[i], truth.argmax = static_cast<int>(i);
  }
  if (nan) truth.argmax = -1, truth.max = NAN;
  if (nan || !std::isfinite(truth.max)) return truth;
  double tail = 0, weighted = 0, deviation = 0;
  for (size_t i = 0; i < z.size(); i++) {
    const double d = z[i] - truth.max;
    deviation += d;
    if (static_cast<int>(i) == truth.argmax || d == -INFINITY) continue;
    tail += std::exp(d), weighted += d * std::exp(d);
  }
  truth.topNll = std::log1p(tail);
  truth.nll = truth.topNll + truth.max - z[label];
  truth.entropy = truth.topNll - weighted / (1 + tail);
  truth.meanNll = truth.topNll - deviation / static_cast<double>(z.size());
  return truth;
}

/// `tokens` rows of logits of type T; every third token is sure of its label.
template <class T>
struct LossCase {
  int64_t tokens, vocab;
  Device<T> logits;
  Device<int32_t> labels;
  Device<float> weights, floats;
  Device<int32_t> ints;

  LossCase(int64_t tokens, int64_t vocab, double spread, unsigned seed)
      : tokens(tokens),
        vocab(vocab),
        logits(normal(tokens * vocab, seed, spread)),
        labels(tokens),
        weights(2 * tokens),
        floats(5 * tokens),
        ints(2 * tokens) {
    std::mt19937 random(seed + 1);
    for (int64_t t = 0; t < tokens; t++) {
      labels.data()[t] = static_cast<int32_t>(random() % vocab);
      if (t % 3 == 0) logits.data()[t * vocab + labels.data()[t]] = fromFloat<T>(float(12 * spread));
      weights.data()[2 * t] = static_cast<float>(random() % 1000) / 500;
      weights.data()[2 * t + 1] = static_cast<float>(random() % 1000) / 700;
    }
  }

  std::vector<double> row(int64_t token) {
    std::vector<double> z(vocab);
    for (int64_t i = 0; i < vocab; i++) z[i] = logits[token * vocab + i];
    return z;
  }
  void gatherStatistics() {
    cuda::tokenStatistics(logits.data(), labels.data(), floats.data(), ints.data(), tokens, vocab, nullptr);
  }
  cuda::TokenGradients gradients(float cap = 0, float smoothing = 0) {
    return {labels.data(), floats.data(), ints.data(), weights.data(), cap, smoothing};
  }

  /// ∂loss/∂z of every row in float64, by the definition.
  std::vector<double> expectedGradient(double cap = 0, double smoothing = 0) {
    std::vector<double> out;
    for (int64_t t = 0; t < tokens; t++) {
      const std::vector<double> z = row(t);
      const int label = static_cast<int>(labels[t]);
      const RowTruth truth = truthOf(z, label);
      const double a = weights[2 * t], b = weights[2 * t + 1];
      for (int64_t i = 0; i < vocab; i++) {
        // softmax − 1 at the first choice, without its cancellation.
        const double missing = std::expm1(-truth.topNll);
        double g = (a + b) * (i == truth.argmax ? 1 + missing : std::exp(z[i] - truth.max - truth.topNll));
        if (i == truth.argmax) g = i == label ? (a + b) * missing + a : a * (1 + missing) + b * missing;
        if (i == label) g -= a * (1 - smoothing);
        if (i == label && i == truth.argmax) g = (a + b) * missing + a * smoothing;
        g -= a * smoothing / static_cast<double>(vocab);
        out.push_back(cap > 0 ? g * (1 - z[i] * z[i] / (cap * cap)) : g);
      }
    }
    return out;
  }
};

inline const std::vector<int64_t>& awkwardVocabularies() {
  static const std::vector<int64_t> all = {1, 2, 31, 32, 33, 513, 1000, 4099, 32003};
  return all;
}

}  // namespace adaptive::test
