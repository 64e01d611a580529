// The language-model head and the loss in one: logits exist for one chunk of tokens at a time
// (docs/adaptive-loss.md, "Gradient"). Pass 1 gathers statistics; the caller turns them into weights; pass 2
// turns weights into gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "core/loss/chunk_tokens.h"
#include "core/loss/token_statistics.h"
#include "core/ops/logit_gradient.h"

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

/// Gathers dLogitsᵀ·inputs, for dLogits [c, vocab] and inputs [c, width].
using AddOuter = std::function<void(const ops::LogitGradient& dLogits, const at::Tensor& inputs)>;

/// What a low-rank adapter of the head adds to the products: low·raiseᵀ.
struct LowRankTerm {
  at::Tensor low;           ///< [n, rank]
  at::Tensor raise;         ///< [vocab, rank]
  AddOuter addGradient;     ///< of low times the scale
  at::Tensor gradLow = {};  ///< [n, rank], made by backward()

  explicit operator bool() const { return low.defined(); }
  void addTo(const at::Tensor& products, int64_t first) const;
  /// The part of a chunk's rows, whose gradient is taken times `scale`.
  void goBack(const ops::LogitGradient& dLogits, int64_t first, double scale);
};

class FusedLinearLoss {
 public:
  /// hidden [n, hidden] of the labelled tokens alone, weight [vocab, hidden], both of one type of floats;
  /// labels int32 [n], where hidden is: off the host they must be rows of weight. Runs pass 1. `addition`
  /// needs LossGradients::Both, or None. Errors: INVALID_INPUT for shapes, types, labels (of the host) or
  /// options that do not fit.
  FusedLinearLoss(at::Tensor hidden, at::Tensor weight, at::Tensor labels, LossGradients wanted,
                  ChunkOptions options = {}, LogitOptions logits = {}, MoreStatistics more = {},
                  LowRankTerm addition = {});

  const TokenStatistics& statistics() const { return statistics_; }

  /// weights: (∂loss/∂nll, with smoothing ∂loss/∂smoothed, ∂loss/∂topNll) interleaved [n][2]. Returns
  /// gradHidden [n, hidden]; calls addWeightGradient for each chunk with its hidden states times the scale.
  /// The sum of dLogits is the gradient of a bias. With LossGradients::Hidden it is never called. Call once.
  /// Errors: INVALID_INPUT where no gradients were wanted, when called twice, or for another number of
  /// weights; LOSS_NOT_FINITE naming a token with a NaN among its logits.
  at::Tensor backward(const std::vector<float>& weights, const AddOuter& addWeightGradient);

  /// ∂loss/∂low of the addition, after backward().
  const at::Tensor& gradLow() const { return addition_.gradLow; }

 private:
  /// What is known of each token, as views of one tensor: one way to the host for all of it.
  struct Table {
    Table() = default;
    /// `entropies`: 1 where they are asked for, else 0.
    Table(const at::Tensor& all, int64_t tokens, int64_t entropies, int64_t choices);
    static int64_t numbersOf(int64_t entropies, int64_t choices) { return 7 + entropies + 2 * choices; }
    at::Tensor floats, ints;          ///< as ops::tokenStatistics has them
    at::Tensor entropies;             ///< float32 [n, 1] or [n, 0]
    at::Tensor choiceNll, choiceIds;  ///< float32 and int32 [n, choices]
  };
  void gather(const at::Tensor& logits, int64_t first, int64_t count, const MoreStatistics& more);
  void readStatistics(int64_t entropies);
  at::Tensor logitsOf(int64_t first, int64_t count);
  /// Gathers from the logits of a chunk what backward() will have no other way to.
  void keep(const at::Tensor& logits, int64_t first, int64_t count);
  /// Tokens whose numerators are kept, in whole chunks.
  int64_t tokensToKeep(const ChunkOptions& options, int64_t freeBytes) const;
  /// What the tokens of a chunk are worked out from, beside their weights.
  struct Rows {
    at::Tensor labels, floats, ints;
  };
  Rows rowsOf(int64_t first, int64_t count) const;
  /// Those of a chunk, kept or made again.
  at::Tensor numeratorsOf(int64_t first, int64_t count);
  /// The gradient of the logits of a chunk; weights [n, 2] on the host, and as a tensor.
  ops::LogitGradient gradientOf(int64_t first, int64_t count, const std::vector<float>& weights,
                                const at::Tensor& table);
  at::Tensor hiddenGradient(const at::Tensor& weights);
  at::Tensor meanOfWeight() const;

  at::Tensor hidden_, weight_, labels_, numbers_;
  Table table_;         ///< of numbers_
  at::Tensor buffer_;   ///< logits of a chunk
  at::Tensor scratch_;  ///< with float32 logits: of a chunk, the type of hidden
  /// With LossGradients::Hidden, for each token [n, hidden]: ∂topNll/∂hidden, or its numerators times the
  /// weight in float32.
  at::Tensor onTop_;
  at::Tensor numerators_;  ///< of the first tokens, the type of hidden
  LossGradients wanted_;
  bool isWeightFrozen_, isWide_;
  int64_t chunk_;
  LogitOptions options_;
  double smoothing_;
  LowRankTerm addition_;
  bool kept_ = false;  ///< buffer_ holds the logits of all tokens
  TokenStatistics statistics_;
};

}  // namespace adaptive
