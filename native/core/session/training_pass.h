// One micro-batch through the decoder and the head: statistics first, gradients once the weights of the
// tokens are known.
#pragma once
#include <optional>

#include "core/loss/fused_divergence.h"
#include "core/loss/fused_linear_loss.h"
#include "core/loss/labelled_tokens.h"
#include "core/model/decoder.h"
#include "core/session/base_model.h"

namespace adaptive {

struct MicroBatch {
  FlatBatch tokens;
  std::vector<int32_t> labels;                ///< [tokens], lined up with the inputs
  std::vector<LearningStyle> styles;          ///< [rows]
  DropoutKey dropout = {};                    ///< used in training; nothing: no dropout
  std::optional<RetainedRows> retained = {};  ///< what its last rows are, which have no labels
  bool withoutAdapter = false;                ///< seen by the model with its adapter off; not in training
  KeptBlocks kept = {};                       ///< used in training, with checkpointing
  /// With several ranks: the last micro-batch of its window, in whose backward gradients are summed.
  bool endsWindow = false;
  bool isEmpty() const { return tokens.ids.empty(); }
};

/// What a pass made of the rows that are retained: no rows, no tokens.
struct Retained {
  double divergence = 0;  ///< Σ KL(base ‖ model) over the tokens, nats
  int64_t tokens = 0;
};

class TrainingPass {
 public:
  /// Runs forward and the statistics pass. With `training`, a graph is kept for backward(). The
  /// decoder must outlive the pass, and `base` one
  /// with retained rows. Errors: INVALID_INPUT for ids, labels or lengths that do not fit.
  TrainingPass(Decoder& decoder, const MicroBatch& batch, bool training, MoreStatistics more = {},
               const BaseModel* base = nullptr);

  const TokenStatistics& statistics() const { return loss_->statistics(); }
  const LabelledTokens& tokens() const { return tokens_; }

  /// Gathers the gradients of Σ weights[t][0]·nll_t + weights[t][1]·topNll_t into the decoder's parameters,
  /// and those of the divergence of the retained rows, times its weight and `scale`. Call once.
  Retained backward(const std::vector<float>& weights, double scale = 1);

 private:
  Decoder& decoder_;
  const BaseModel* base_;
  LabelledTokens tokens_;
  at::Tensor selected_;                   ///< hidden states of the labelled tokens, with their graph
  at::Tensor selectedLow_, retainedLow_;  ///< what the head's adapter makes of them; undefined without one
  at::Tensor retained_;                   ///< those of the retained rows; undefined without any
  FlatBatch retainedIds_;                 ///< their ids
  RetainedRows rows_;
  std::optional<FusedLinearLoss> loss_;
};

/// The ids of the retained rows of a batch, which are its last. Errors: INVALID_INPUT for more rows than
/// there are, or none.
FlatBatch retainedPart(const FlatBatch& batch, const RetainedRows& rows);

/// The divergence of the retained rows' hidden states [tokens, hidden] from the base's. `low`: what the
/// head's adapter makes of them, undefined without one. `weight` 0: no gradient.
Divergence divergenceOf(Decoder& decoder, const BaseModel& base, const FlatBatch& ids,
                        const RetainedRows& rows, const at::Tensor& hidden, const at::Tensor& low,
                        double weight);

}  // namespace adaptive
