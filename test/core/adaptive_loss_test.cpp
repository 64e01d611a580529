// The pure function from token statistics to loss and weights, against docs/adaptive-loss.md written out set
// by set.
#include "core/loss/adaptive_loss.h"

#include <functional>
#include <limits>
#include <random>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

struct Batch {
  TokenStatistics statistics;
  LabelledTokens tokens;
};

struct Odds {
  double correct, outside;
  int styles;  // bits: which of misc, ideas, attention, both occur
};

/// Values on a grid of 1/1024, so that a step of a finite difference is exact in float32.
Batch randomBatch(int64_t count, int64_t topK, const Odds& odds, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto chance = [&](double p) { return static_cast<double>(random() >> 11) * 0x1.0p-53 < p; };
  std::vector<LearningStyle> styles;
  for (int style = 0; style < 4; style++)
    if (odds.styles >> style & 1) styles.push_back(static_cast<LearningStyle>(style));
  Batch batch;
  for (int64_t i = 0; i < count; i++) {
    const bool correct = chance(odds.correct), outside = !correct && chance(odds.outside);
    const float top = static_cast<float>(random() % 2048) / 1024;
    const int64_t rank = correct   ? 0
                         : outside ? topK + static_cast<int64_t>(random() % 50)
                                   : 1 + random() % topK;
    batch.statistics.topNll.push_back(top);
    batch.statistics.nll.push_back(correct ? top : top + static_cast<float>(random() % 8192) / 1024);
    batch.statistics.entropy.push_back(1);
    // A wrong token inside the top k has a rank below k; with k = 1 there is none but by a tie (rank 0).
    batch.statistics.rank.push_back(
        static_cast<int32_t>(correct || outside ? rank : std::min(rank, topK - 1)));
    batch.statistics.argmax.push_back(correct ? 7 : 8);
    batch.tokens.labels.push_back(7);
    batch.tokens.positions.push_back(i);
    batch.tokens.rows.push_back(static_cast<int32_t>(i));
    batch.tokens.styles.push_back(styles[random() % styles.size()]);
  }
  return batch;
}

using Member = std::function<bool(size_t)>;

double meanOf(const std::vector<float>& values, const Member& in) {
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < values.size(); i++)
    if (in(i)) sum += values[i], count++;
  return count ? sum / static_cast<double>(count) : 0;
}

int64_t countOf(size_t size, const Member& in) {
  int64_t count = 0;
  for (size_t i = 0; i < size; i++) count += in(i);
  return count;
}

AdaptiveTerms expectedTerms(const Batch& b, int64_t topK, double alpha, double beta) {
  const size_t n = b.statistics.nll.size();
  const auto& nll = b.statistics.nll;
  const auto& top = b.statistics.topNll;
  const Member all = [](size_t) { return true; };
  const Member C = [&](size_t i) { return b.statistics.argmax[i] == b.tokens.labels[i]; };
  const Member X = [&](size_t i) { return !C(i); };
  const Member O = [&](size_t i) { return X(i) && b.statistics.rank[i] >= topK; };
  const Member I = [&](size_t i) {
    return b.tokens.styles[i] == LearningStyle::Ideas || b.tokens.styles[i] == LearningStyle::Both;
  };
  const Member A = [&](size_t i) {
    return b.tokens.styles[i] == LearningStyle::Attention || b.tokens.styles[i] == LearningStyle::Both;
  };
  const auto both = [](const Member& a, const Member& c) {
    return Member([a, c](size_t i) { return a(i) && c(i); });
  };
  AdaptiveTerms t;
  t.self = countOf(n, C) ? meanOf(nll, C) : meanOf(top, all);
  t.common = meanOf(nll, all);
  t.ideas = t.self / 4 + (countOf(n, O) == 0 ? meanOf(top, I) : meanOf(nll, both(O, I)));
  t.attention = t.self / 4 + (countOf(n, X) == 0 ? meanOf(top, A) : meanOf(nll, both(X, A)));
  const int64_t trained = countOf(n, [&](size_t i) { return (O(i) && I(i)) || (X(i) && A(i)); });
  t.factor = static_cast<double>(std::max<int64_t>(1, static_cast<int64_t>(n))) /
             static_cast<double>(std::max<int64_t>(1, static_cast<int64_t>(n) - trained));
  t.loss = (2 - beta) * (alpha * t.attention + (2 - alpha) * t.ideas) + beta * t.factor * t.common;
  return t;
}

double lossOf(const Batch& b, int64_t topK, const AdaptiveBias& bias) {
  return adaptiveTerms(adaptiveSums(b.statistics, b.tokens, topK), bias).loss;
}

const std::vector<Odds> kOdds = {{0.4, 0.5, 15}, {1, 0, 15},    {0, 0.5, 15},  {0.5, 0, 15},
                                 {0, 1, 15},     {0.4, 0.5, 1}, {0.4, 0.5, 2}, {0.4, 0.5, 4},
                                 {0.4, 0.5, 8},  {0.9, 0.9, 3}, {1, 0, 1},     {0, 1, 5}};

template <class F>
void forEachBatch(const F& f) {
  uint64_t seed = 1;
  for (const Odds& odds : kOdds) {
    for (const int64_t count : {1, 2, 9, 64}) {
      for (const int64_t topK : {1, 4}) {
        const AdaptiveBias bias{.alpha = 0.4 + 0.13 * static_cast<double>(seed % 11),
                                .beta = 1.7 - 0.1 * static_cast<double>(seed % 14)};
        f(randomBatch(count, topK, odds, seed++), topK, bias);
      }
    }
  }
}

}  // namespace

TEST("adaptive loss: terms and loss are those of the written definition") {
  forEachBatch([](const Batch& b, int64_t topK, const AdaptiveBias& bias) {
    const AdaptiveTerms expected = expectedTerms(b, topK, bias.alpha, bias.beta);
    const AdaptiveTerms actual = adaptiveTerms(adaptiveSums(b.statistics, b.tokens, topK), bias);
    checkNear(actual.self, expected.self, 1e-9, "self");
    checkNear(actual.common, expected.common, 1e-9, "common");
    checkNear(actual.ideas, expected.ideas, 1e-9, "ideas");
    checkNear(actual.attention, expected.attention, 1e-9, "attention");
    checkNear(actual.factor, expected.factor, 1e-9, "factor");
    checkNear(actual.loss, expected.loss, 1e-8, "loss");
  });
}

TEST("adaptive loss: counts") {
  forEachBatch([](const Batch& b, int64_t topK, const AdaptiveBias&) {
    const AdaptiveSums s = adaptiveSums(b.statistics, b.tokens, topK);
    int64_t correct = 0, inTopK = 0;
    for (size_t i = 0; i < b.statistics.nll.size(); i++) {
      correct += b.statistics.argmax[i] == 7;
      inTopK += b.statistics.rank[i] < topK;
    }
    check(s.total == b.statistics.size() && s.correct == correct && s.wrong == s.total - correct,
          "counts of correct and wrong tokens");
    check(s.inTopK == inTopK, "the count of tokens in the top k");
    check(s.trained() >= 0 && s.trained() <= s.wrong, "at most the wrong tokens to be trained");
  });
}

TEST("adaptive loss: the weighted sum of nll and topNll is the loss") {
  forEachBatch([](const Batch& b, int64_t topK, const AdaptiveBias& bias) {
    const AdaptiveSums sums = adaptiveSums(b.statistics, b.tokens, topK);
    const double loss = adaptiveTerms(sums, bias).loss;
    for (const double scale : {1.0, 0.25}) {
      const auto w = adaptiveWeights(b.statistics, b.tokens, topK, sums, bias, scale);
      check(w.size() == 2 * b.statistics.nll.size(), "two weights per token");
      double sum = 0;
      for (size_t i = 0; i < b.statistics.nll.size(); i++)
        sum += static_cast<double>(w[2 * i]) * b.statistics.nll[i] +
               static_cast<double>(w[2 * i + 1]) * b.statistics.topNll[i];
      checkNear(sum, scale * loss, 1e-6 * std::max(1.0, std::abs(loss)), "Σ w·nll + Σ w·topNll");
    }
  });
}

TEST("adaptive loss: each weight is the finite difference of the loss") {
  constexpr float h = 0x1.0p-6f;
  forEachBatch([](const Batch& original, int64_t topK, const AdaptiveBias& bias) {
    Batch b = original;
    const auto w =
        adaptiveWeights(b.statistics, b.tokens, topK, adaptiveSums(b.statistics, b.tokens, topK), bias, 1);
    for (size_t i = 0; i < b.statistics.nll.size(); i++) {
      for (int column = 0; column < 2; column++) {
        float& value = (column == 0 ? b.statistics.nll : b.statistics.topNll)[i];
        const float kept = value;
        value = kept + h;
        const double above = lossOf(b, topK, bias);
        value = kept - h;
        const double below = lossOf(b, topK, bias);
        value = kept;
        checkNear(w[2 * i + column], (above - below) / (2 * h), 1e-6,
                  column == 0 ? "∂loss/∂nll" : "∂loss/∂topNll");
      }
    }
  });
}

TEST("adaptive loss: no labelled token gives zero everywhere") {
  const Batch none;
  const AdaptiveBias bias{.alpha = 1.2, .beta = 0.8};
  const AdaptiveSums sums = adaptiveSums(none.statistics, none.tokens, 8);
  const AdaptiveTerms terms = adaptiveTerms(sums, bias);
  check(terms.loss == 0 && terms.self == 0 && terms.common == 0 && terms.ideas == 0 && terms.attention == 0,
        "terms of 0");
  check(adaptiveWeights(none.statistics, none.tokens, 8, sums, bias, 1).empty(), "no weights");
  const AdaptiveBias next = steppedBias(bias, terms, sums);
  check(next.alpha == bias.alpha && next.beta == bias.beta && next.step == 0, "α and β to stay");
}

TEST("adaptive loss: α and β follow Adam on their own objective, and are clamped") {
  const auto objective = [](const AdaptiveTerms& t, double alpha, double beta) {
    return beta * ((2 - alpha) * t.attention + alpha * t.ideas) + (2 - beta) * t.common;
  };
  AdaptiveBias bias;
  double value[2] = {1, 1}, m[2] = {0, 0}, v[2] = {0, 0};
  for (int step = 1; step <= 3000; step++) {
    const AdaptiveTerms t{.self = 1,
                          .common = 2 + std::sin(step),
                          .ideas = 1,
                          .attention = step < 1500 ? 3.0 : 0.5,
                          .factor = 1,
                          .loss = 1};
    AdaptiveSums sums;
    sums.total = 3;
    bias = steppedBias(bias, t, sums);
    constexpr double h = 1e-4;  // the objective is linear in each, so this is exact but for rounding
    const double gradient[2] = {
        (objective(t, value[0] + h, value[1]) - objective(t, value[0] - h, value[1])) / (2 * h),
        (objective(t, value[0], value[1] + h) - objective(t, value[0], value[1] - h)) / (2 * h)};
    for (int i = 0; i < 2; i++) {
      m[i] = 0.9 * m[i] + 0.1 * gradient[i];
      v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
      value[i] -=
          0.001 * (m[i] / (1 - std::pow(0.9, step))) / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
      value[i] = std::min(1.7, std::max(0.4, value[i]));
    }
    checkNear(bias.alpha, value[0], 1e-7, "α");
    checkNear(bias.beta, value[1], 1e-7, "β");
    if (step == 1499) check(bias.alpha == 1.7, "α on its upper clamp");
    if (step == 1499) check(bias.beta == 0.4, "β on its lower clamp");
  }
  check(bias.step == 3000, "3000 steps counted");
}

TEST("adaptive loss: a term that is not finite skips the step of α and β") {
  AdaptiveSums sums;
  sums.total = 2;
  const AdaptiveBias bias{.alpha = 1.1, .beta = 0.9, .alphaMoment1 = 0.5, .step = 4};
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    AdaptiveTerms terms;
    terms.attention = bad;
    const AdaptiveBias next = steppedBias(bias, terms, sums);
    check(next.alpha == 1.1 && next.beta == 0.9 && next.alphaMoment1 == 0.5 && next.step == 4,
          "nothing to move");
  }
}
