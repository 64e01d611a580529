// The language-model head and the loss in one: logits exist for one chunk of tokens at a time
// (docs/adaptive-loss.md, "Gradient"). Pass 1 gathers statistics; the caller turns them into weights; pass 2
// turns weights into gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "core/loss/token_statistics.h"

namespace adaptive {

struct ChunkOptions {
  /// Tokens per chunk; 0: as many as fit the budget.
  int64_t tokens = 0;
  /// Bytes that logits may take; 0: an eighth of the memory that is free, at most 1 GiB.
  int64_t budget = 0;
};

/// What becomes of hidden·weightᵀ before it is a logit: z = cap·tanh(scale·l/cap), or scale·l without a cap.
struct LogitOptions {
  double scale = 1;
  double cap = 0;  ///< 0: none
};

class FusedLinearLoss {
 public:
  /// hidden [n, hidden] of the labelled tokens alone, weight [vocab, hidden], both float32 or both bfloat16;
  /// labels [n]. Runs pass 1. Logits are kept for pass 2 when all of them fit one chunk and `keepsLogits`.
  /// `entropyOfTop`: the k of TokenStatistics::topKEntropy; 0: not gathered.
  FusedLinearLoss(at::Tensor hidden, at::Tensor weight, const std::vector<int32_t>& labels, bool keepsLogits,
                  ChunkOptions options = {}, LogitOptions logits = {}, int64_t entropyOfTop = 0);

  const TokenStatistics& statistics() const { return statistics_; }

  /// weights: (∂loss/∂nll, ∂loss/∂topNll) interleaved [n][2]. Returns gradHidden [n, hidden]; calls
  /// addWeightGradient(dLogits [c, vocab], hidden [c, hidden], times the scale) for each chunk, to gather
  /// dLogitsᵀ·hidden.
  /// Consumes kept logits: call once.
  at::Tensor backward(const std::vector<float>& weights,
                      const std::function<void(const at::Tensor&, const at::Tensor&)>& addWeightGradient);

 private:
  at::Tensor logitsOf(int64_t first, int64_t count);

  at::Tensor hidden_, weight_, labels_, floats_, ints_, buffer_;
  int64_t chunk_;
  LogitOptions options_;
  bool kept_ = false;
  TokenStatistics statistics_;
};

}  // namespace adaptive
