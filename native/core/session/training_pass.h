// One micro-batch through the decoder and the head: statistics first, gradients once the weights of the
// tokens are known.
#pragma once
#include <optional>

#include "core/loss/fused_linear_loss.h"
#include "core/loss/labelled_tokens.h"
#include "core/model/decoder.h"

namespace adaptive {

struct MicroBatch {
  FlatBatch tokens;
  std::vector<int32_t> labels;        ///< [tokens], lined up with the inputs
  std::vector<LearningStyle> styles;  ///< [rows]
  DropoutKey dropout = {};            ///< used in training; nothing: no dropout
};

class TrainingPass {
 public:
  /// Runs forward and the statistics pass. With `training`, a graph is kept for backward(). `entropyOfTop`:
  /// the k of the top-k entropies to gather, 0 for none. The decoder must outlive the pass. Errors:
  /// INVALID_INPUT for ids, labels or lengths that do not fit.
  TrainingPass(Decoder& decoder, const MicroBatch& batch, bool training, int64_t entropyOfTop = 0);

  const TokenStatistics& statistics() const { return loss_->statistics(); }
  const LabelledTokens& tokens() const { return tokens_; }

  /// Gathers the gradients of Σ weights[t][0]·nll_t + weights[t][1]·topNll_t into the decoder's parameters.
  /// Call once.
  void backward(const std::vector<float>& weights);

 private:
  Decoder& decoder_;
  LabelledTokens tokens_;
  at::Tensor selected_;  ///< hidden states of the labelled tokens, with their graph
  std::optional<FusedLinearLoss> loss_;
};

}  // namespace adaptive
