// KL(base ‖ model) of tokens and its gradient, straight from hidden states: the logits of both models exist
// for one chunk of tokens at a time (docs/retention.md).
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "core/loss/fused_linear_loss.h"

namespace adaptive {

/// What a model's logits are made of: hidden·weightᵀ + bias, and what an adapter adds.
struct HeadOperands {
  at::Tensor hidden;  ///< [n, width]
  /// [vocab, width], of the type of hidden; of the base also in bfloat16, which is widened a slab at a time.
  at::Tensor weight;
  at::Tensor bias = {};       ///< [vocab]; undefined: none
  LowRankTerm addition = {};  ///< the model's alone
};

struct Divergence {
  double sum = 0;  ///< of KL(base ‖ model) over the tokens, nats
  int64_t tokens = 0;
  at::Tensor gradHidden;  ///< [n, width]; undefined without a weight
  at::Tensor gradLow;     ///< of the addition [n, rank], likewise
};

/// `weight`: what Σ KL is multiplied with in the gradient; 0: none is formed. Where the operands of both
/// models are the same to the bit, the divergence and its gradient are exactly 0. addWeightGradient(dLogits
/// [c, vocab], hidden [c, width], times the scale) is called for each chunk. Errors: INVALID_INPUT for
/// shapes, types or options that do not fit; LOSS_NOT_FINITE naming a token whose divergence is not finite:
/// chunks before it have been gathered.
Divergence fusedDivergence(const HeadOperands& model, const HeadOperands& base, double weight,
                           ChunkOptions options, const LogitOptions& logits,
                           const AddOuter& addWeightGradient);

}  // namespace adaptive
