#include "core/loss/adaptive_loss.h"

#include <algorithm>
#include <cmath>

namespace adaptive {
namespace {

bool hasIdeas(LearningStyle style) { return style == LearningStyle::Ideas || style == LearningStyle::Both; }
bool hasAttention(LearningStyle style) {
  return style == LearningStyle::Attention || style == LearningStyle::Both;
}

/// Where a token stands: C, X and O of docs/adaptive-loss.md.
struct Standing {
  bool correct, wrong, outside;
};

Standing standing(const TokenStatistics& statistics, const LabelledTokens& tokens, int64_t i,
                  const CorrectRule& rule) {
  const bool correct = statistics.argmax[i] == tokens.labels[i] &&
                       std::exp(-static_cast<double>(statistics.nll[i])) >= rule.confidence;
  return {correct, !correct, !correct && statistics.rank[i] >= rule.topK};
}

double mean(double sum, int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0; }

constexpr int64_t AdaptiveSums::*kCounts[] = {&AdaptiveSums::total,          &AdaptiveSums::correct,
                                              &AdaptiveSums::inTopK,         &AdaptiveSums::wrong,
                                              &AdaptiveSums::outside,        &AdaptiveSums::ideas,
                                              &AdaptiveSums::attention,      &AdaptiveSums::ideasOutside,
                                              &AdaptiveSums::attentionWrong, &AdaptiveSums::bothOutside};
constexpr double AdaptiveSums::*kSums[] = {&AdaptiveSums::nll,
                                           &AdaptiveSums::topNll,
                                           &AdaptiveSums::correctNll,
                                           &AdaptiveSums::ideasTopNll,
                                           &AdaptiveSums::attentionTopNll,
                                           &AdaptiveSums::ideasOutsideNll,
                                           &AdaptiveSums::attentionWrongNll};

struct Coefficients {
  double attention, ideas, self;
};

Coefficients coefficients(const AdaptiveBias& bias) {
  const double attention = (2 - bias.beta) * bias.alpha, ideas = (2 - bias.beta) * (2 - bias.alpha);
  return {attention, ideas, (attention + ideas) / 4};
}

double factorOf(const AdaptiveSums& sums) {
  return static_cast<double>(std::max<int64_t>(1, sums.total)) /
         static_cast<double>(std::max<int64_t>(1, sums.total - sums.trained()));
}

void adamStep(double gradient, int64_t step, double& value, double& moment1, double& moment2) {
  constexpr double lr = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  moment1 = beta1 * moment1 + (1 - beta1) * gradient;
  moment2 = beta2 * moment2 + (1 - beta2) * gradient * gradient;
  const double corrected1 = moment1 / (1 - std::pow(beta1, step)),
               corrected2 = moment2 / (1 - std::pow(beta2, step));
  value = std::clamp(value - lr * corrected1 / (std::sqrt(corrected2) + eps), 0.4, 1.7);
}

}  // namespace

AdaptiveSums adaptiveSums(const TokenStatistics& statistics, const LabelledTokens& tokens,
                          const CorrectRule& rule) {
  AdaptiveSums s;
  s.total = statistics.size();
  for (int64_t i = 0; i < s.total; i++) {
    const auto [correct, wrong, outside] = standing(statistics, tokens, i, rule);
    const bool ideas = hasIdeas(tokens.styles[i]), attention = hasAttention(tokens.styles[i]);
    const double nll = statistics.lossNll(i), topNll = statistics.topNll[i];
    s.correct += correct, s.wrong += wrong, s.outside += outside, s.inTopK += statistics.rank[i] < rule.topK;
    s.ideas += ideas, s.attention += attention;
    s.ideasOutside += outside && ideas, s.attentionWrong += wrong && attention;
    s.bothOutside += outside && ideas && attention;
    s.nll += nll, s.topNll += topNll;
    if (correct) s.correctNll += nll;
    if (ideas) s.ideasTopNll += topNll;
    if (attention) s.attentionTopNll += topNll;
    if (outside && ideas) s.ideasOutsideNll += nll;
    if (wrong && attention) s.attentionWrongNll += nll;
  }
  return s;
}

std::vector<double> packed(const AdaptiveSums& sums) {
  std::vector<double> numbers;
  for (const auto count : kCounts) numbers.push_back(static_cast<double>(sums.*count));
  for (const auto sum : kSums) numbers.push_back(sums.*sum);
  return numbers;
}

AdaptiveSums unpacked(const std::vector<double>& numbers) {
  AdaptiveSums sums;
  auto next = numbers.begin();
  for (const auto count : kCounts) sums.*count = static_cast<int64_t>(*next++);
  for (const auto sum : kSums) sums.*sum = *next++;
  return sums;
}

AdaptiveTerms adaptiveTerms(const AdaptiveSums& s, const AdaptiveBias& bias) {
  AdaptiveTerms t;
  if (s.total == 0) return t;
  t.self = s.correct > 0 ? mean(s.correctNll, s.correct) : mean(s.topNll, s.total);
  t.common = mean(s.nll, s.total);
  t.ideas =
      t.self / 4 + (s.outside == 0 ? mean(s.ideasTopNll, s.ideas) : mean(s.ideasOutsideNll, s.ideasOutside));
  t.attention = t.self / 4 + (s.wrong == 0 ? mean(s.attentionTopNll, s.attention)
                                           : mean(s.attentionWrongNll, s.attentionWrong));
  t.factor = factorOf(s);
  const Coefficients c = coefficients(bias);
  t.loss = c.attention * t.attention + c.ideas * t.ideas + bias.beta * t.factor * t.common;
  return t;
}

std::vector<float> adaptiveWeights(const TokenStatistics& statistics, const LabelledTokens& tokens,
                                   const CorrectRule& rule, const AdaptiveSums& s, const AdaptiveBias& bias,
                                   double scale) {
  const Coefficients c = coefficients(bias);
  // The share of one member of each average; a branch of the loss that is not taken has none.
  const auto share = [scale](double weight, int64_t members, bool taken) {
    return taken && members > 0 ? scale * weight / static_cast<double>(members) : 0.0;
  };
  const double common = share(bias.beta * factorOf(s), s.total, true);
  const double selfCorrect = share(c.self, s.correct, true), selfTop = share(c.self, s.total, s.correct == 0);
  const double ideasTop = share(c.ideas, s.ideas, s.outside == 0);
  const double ideasNll = share(c.ideas, s.ideasOutside, s.outside > 0);
  const double attentionTop = share(c.attention, s.attention, s.wrong == 0);
  const double attentionNll = share(c.attention, s.attentionWrong, s.wrong > 0);
  std::vector<float> weights(2 * statistics.size());
  for (int64_t i = 0; i < statistics.size(); i++) {
    const auto [correct, wrong, outside] = standing(statistics, tokens, i, rule);
    const bool ideas = hasIdeas(tokens.styles[i]), attention = hasAttention(tokens.styles[i]);
    const double onNll = common + (correct ? selfCorrect : 0) + (outside && ideas ? ideasNll : 0) +
                         (wrong && attention ? attentionNll : 0);
    const double onTop = selfTop + (ideas ? ideasTop : 0) + (attention ? attentionTop : 0);
    weights[2 * i] = static_cast<float>(onNll);
    weights[2 * i + 1] = static_cast<float>(onTop);
  }
  return weights;
}

AdaptiveBias steppedBias(const AdaptiveBias& bias, const AdaptiveTerms& t, const AdaptiveSums& sums) {
  const double alphaGradient = bias.beta * (t.ideas - t.attention);
  const double betaGradient = (2 - bias.alpha) * t.attention + bias.alpha * t.ideas - t.common;
  if (sums.total == 0 || !std::isfinite(alphaGradient) || !std::isfinite(betaGradient)) return bias;
  AdaptiveBias next = bias;
  next.step++;
  adamStep(alphaGradient, next.step, next.alpha, next.alphaMoment1, next.alphaMoment2);
  adamStep(betaGradient, next.step, next.beta, next.betaMoment1, next.betaMoment2);
  return next;
}

}  // namespace adaptive
