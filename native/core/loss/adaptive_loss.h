// The adaptive loss as a pure function of token statistics (docs/adaptive-loss.md): no logits, no tensors, no
// device.
#pragma once
#include <cstdint>
#include <vector>

#include "core/loss/labelled_tokens.h"
#include "core/loss/token_statistics.h"

namespace adaptive {

/// α, the balance of attention and ideas, and β, the weight of the common loss, with their Adam moments.
struct AdaptiveBias {
  double alpha = 1, beta = 1;
  double alphaMoment1 = 0, alphaMoment2 = 0, betaMoment1 = 0, betaMoment2 = 0;
  int64_t step = 0;
};

/// Counts and sums over a batch. They add up over ranks: N ranks with summed sums equal one rank with the
/// N-fold batch.
struct AdaptiveSums {
  int64_t total = 0, correct = 0, inTopK = 0, wrong = 0, outside = 0;
  int64_t ideas = 0, attention = 0;  ///< labelled tokens of rows with that style
  int64_t ideasOutside = 0, attentionWrong = 0, bothOutside = 0;
  double nll = 0, topNll = 0, correctNll = 0;
  double ideasTopNll = 0, attentionTopNll = 0;
  double ideasOutsideNll = 0, attentionWrongNll = 0;
  int64_t trained() const { return ideasOutside + attentionWrong - bothOutside; }
};

/// All members in one list, and back.
std::vector<double> packed(const AdaptiveSums& sums);
AdaptiveSums unpacked(const std::vector<double>& numbers);

/// When a token counts as correct (argmax is the label, with probability `confidence` or more) and when as
/// outside (neither correct nor, by rank, among the first `topK`).
struct CorrectRule {
  // Implicit: a topK alone is a rule too.
  CorrectRule(int64_t topK, double confidence = 0) : topK(topK), confidence(confidence) {}
  int64_t topK;
  double confidence;
};

AdaptiveSums adaptiveSums(const TokenStatistics& statistics, const LabelledTokens& tokens,
                          const CorrectRule& rule);

/// The four terms and the loss they add up to.
struct AdaptiveTerms {
  double self = 0, common = 0, ideas = 0, attention = 0, factor = 1, loss = 0;
};

/// Zero everywhere when no token is labelled.
AdaptiveTerms adaptiveTerms(const AdaptiveSums& sums, const AdaptiveBias& bias);

/// ∂loss/∂nll and ∂loss/∂topNll of each token, interleaved [n][2], times `scale`.
std::vector<float> adaptiveWeights(const TokenStatistics& statistics, const LabelledTokens& tokens,
                                   const CorrectRule& rule, const AdaptiveSums& sums,
                                   const AdaptiveBias& bias, double scale);

/// One Adam step (lr 0.001, betas 0.9/0.999, eps 1e-8) on both, clamped to [0.4, 1.7]. Unchanged when a term
/// is not finite or no token is labelled.
AdaptiveBias steppedBias(const AdaptiveBias& bias, const AdaptiveTerms& terms, const AdaptiveSums& sums);

}  // namespace adaptive
