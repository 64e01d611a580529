// The language-model head and the loss in one: logits exist for one chunk of tokens at a time
// (docs/adaptive-loss.md, "Gradient"). Pass 1 gathers statistics; the caller turns them into weights; pass 2
// turns weights into gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "core/loss/chunk_tokens.h"
#include "core/loss/token_statistics.h"

namespace adaptive {

/// From hidden·weightᵀ = l to the logit: z = scale·l + bias, then cap·tanh(z/cap).
struct LogitOptions {
  double scale = 1;
  double cap = 0;        ///< 0: none
  at::Tensor bias = {};  ///< [vocab], of the type of hidden; undefined: none
};

/// Errors: INVALID_INPUT for a bias that is not one for each row of `weight` [vocab, hidden].
void checkHeadBias(const at::Tensor& bias, const at::Tensor& weight);

/// What is wanted beside the statistics.
enum class LossGradients {
  None,
  /// Of hidden states and weight: two passes over the logits, which are kept between them where all fit one
  /// chunk.
  Both,
  /// Of the hidden states alone, as the weight is frozen: one pass (docs/adaptive-loss.md, "One pass").
  Hidden,
};

/// What a low-rank adapter of the head adds to the products: low·raiseᵀ.
struct LowRankTerm {
  at::Tensor low;    ///< [n, rank]
  at::Tensor raise;  ///< [vocab, rank]
  /// Gathers dLogitsᵀ·low: dLogits [c, vocab], low [c, rank] times the scale.
  std::function<void(const at::Tensor& dLogits, const at::Tensor& low)> addGradient;
  at::Tensor gradLow = {};  ///< [n, rank], made by backward()

  explicit operator bool() const { return low.defined(); }
  void addTo(const at::Tensor& products, int64_t first) const;
  /// The part of a chunk's rows, whose gradient is taken times `scale`.
  void goBack(const at::Tensor& dLogits, int64_t first, double scale);
};

class FusedLinearLoss {
 public:
  /// hidden [n, hidden] of the labelled tokens alone, weight [vocab, hidden], both float32 or both bfloat16;
  /// labels [n]. Runs pass 1. `addition` needs LossGradients::Both, or None. Errors: INVALID_INPUT for
  /// shapes, types, labels or options that do not fit.
  FusedLinearLoss(at::Tensor hidden, at::Tensor weight, const std::vector<int32_t>& labels,
                  LossGradients wanted, ChunkOptions options = {}, LogitOptions logits = {},
                  MoreStatistics more = {}, LowRankTerm addition = {});

  const TokenStatistics& statistics() const { return statistics_; }

  /// weights: (∂loss/∂nll, with smoothing ∂loss/∂smoothed, ∂loss/∂topNll) interleaved [n][2]. Returns
  /// gradHidden [n, hidden]; calls addWeightGradient(dLogits [c, vocab], hidden [c, hidden], times the scale)
  /// for each chunk, to gather dLogitsᵀ·hidden, and the sum of dLogits for a bias. With LossGradients::Hidden
  /// it is never called. Call once. Errors: INVALID_INPUT where no gradients were wanted, when called twice,
  /// or for another number of weights; LOSS_NOT_FINITE naming a token with a NaN among its logits.
  at::Tensor backward(const std::vector<float>& weights,
                      const std::function<void(const at::Tensor&, const at::Tensor&)>& addWeightGradient);

  /// ∂loss/∂low of the addition, after backward().
  const at::Tensor& gradLow() const { return addition_.gradLow; }

 private:
  /// Adds to the statistics what `more` asks for, of the next tokens.
  void gather(const at::Tensor& logits, const at::Tensor& floats, const MoreStatistics& more);
  at::Tensor logitsOf(int64_t first, int64_t count);
  /// Turns logits into the gradient with respect to them, in place, for rows [first, first + count) of the
  /// batch.
  void toGradient(const at::Tensor& logits, int64_t first, int64_t count, const at::Tensor& weights);
  at::Tensor hiddenGradient(const at::Tensor& weights);
  at::Tensor meanOfWeight() const;

  at::Tensor hidden_, weight_, labels_, floats_, ints_, buffer_;
  at::Tensor onTop_;  ///< ∂topNll/∂hidden [n, hidden], with LossGradients::Hidden
  LossGradients wanted_;
  bool isWeightFrozen_;
  int64_t chunk_;
  LogitOptions options_;
  double smoothing_;
  LowRankTerm addition_;
  bool kept_ = false;
  TokenStatistics statistics_;
};

}  // namespace adaptive
