// The losses that can be asked for by name, each a pure function of the statistics: what a report says and
// what weight each token gets.
#pragma once
#include <functional>
#include <string>

#include "core/loss/adaptive_loss.h"

namespace adaptive {

enum class LossKind {
  Adaptive,      ///< docs/adaptive-loss.md
  CrossEntropy,  ///< mean nll
  /// Mean of p(label)·nll, without a gradient through p. Wu et al. 2025, "On the generalization of SFT: a
  /// reinforcement learning perspective with reward rectification", eq. 9.
  Dft,
  /// Mean of H·nll, H the entropy of the softmax over the top-k logits alone, divided by log k, without a
  /// gradient through H. Diao et al. 2026, "Entropy-adaptive fine-tuning" (arXiv 2601.02151), with k = 20
  /// there and α = 1. Read so that H is in [0, 1]: their code divides by 3.0, which is log 20 rounded.
  Eaft,
};

/// "adaptive", "ce", "dft" or "eaft". Errors: INVALID_INPUT for any other name.
LossKind lossKind(const std::string& name);

struct LossRequest {
  LossKind kind = LossKind::Adaptive;
  int64_t topK = 8;
  double confidence = 0;  ///< τ of docs/adaptive-loss.md
  double scale = 1;       ///< the micro-batch's share of its accumulation window
  double smoothing = 0;   ///< ε of docs/adaptive-loss.md, "Label smoothing"
  AdaptiveBias bias = {};
};

struct LossReport {
  double loss = 0;
  AdaptiveTerms terms;
  AdaptiveSums sums;
  AdaptiveBias bias;  ///< after its step; as given unless the loss is Adaptive
};

/// Errors: INVALID_INPUT naming the number that is out of range: topK below 1 (2 for eaft), a confidence
/// outside [0, 1], a scale or a moment that is not finite.
void checkLossRequest(const LossRequest& request);

/// What a loss needs beside the statistics that always are.
MoreStatistics statisticsFor(const LossRequest& request);

/// The k whose top-k entropy a loss needs in the statistics; 0: none.
int64_t entropyOfTop(const LossRequest& request);

/// Replaces numbers by their sums over all ranks.
using SumOverRanks = std::function<void(std::vector<double>&)>;

/// The loss of a batch. `weights`, unless it is null, receives (∂loss/∂nll, ∂loss/∂topNll) of each token
/// times `scale`, interleaved [n][2]. With `sumOverRanks` the tokens are this rank's part of the batch, and
/// the report is of the whole.
LossReport lossReport(const TokenStatistics& statistics, const LabelledTokens& tokens,
                      const LossRequest& request, std::vector<float>* weights,
                      const SumOverRanks& sumOverRanks = {});

}  // namespace adaptive
