// The steps of training a session's model: gradients of micro-batches gather, then the optimizer moves the
// weights.
#pragma once
#include "core/loss/training_loss.h"
#include "core/session/model_session.h"

namespace adaptive {

/// What a pass over a micro-batch tells of it.
struct PassReport {
  LossReport loss;
  LabelledTokens tokens;
  TokenStatistics statistics;
};

/// Gathers the gradients of one micro-batch. Errors: INVALID_INPUT; LOSS_NOT_FINITE naming the first row
/// whose logits are not finite: nothing is gathered then.
LossReport trainMicroBatch(ModelSession& session, const MicroBatch& batch, const LossRequest& loss);

/// The first half of trainMicroBatch(): its graph waits for backward(). Errors: as there; nothing waits then.
PassReport forward(ModelSession& session, const MicroBatch& batch, const LossRequest& loss);

/// Finishes what forward() began. `onNll`: ∂loss/∂nll of each labelled token; absent: the weights of the
/// configured loss. Errors: INVALID_INPUT without a forward() or for another number of weights.
void backward(ModelSession& session, const std::optional<std::vector<float>>& onNll);

/// Loss and statistics without gradients; a loss that is not finite is returned as it is.
PassReport evaluate(ModelSession& session, const MicroBatch& batch, const LossRequest& loss);

struct GradientReport {
  double loss = 0;
  std::vector<std::pair<std::string, at::Tensor>> gradients;
};

/// Mean next-token cross-entropy over all rows and the gradient of every weight. Forgets gathered gradients.
GradientReport lossAndGradients(ModelSession& session, const FlatBatch& batch);

/// Makes the optimizer `name` for what is trained. Forgets gathered gradients. Errors: makeOptimizer's.
void createOptimizer(ModelSession& session, const std::string& name, const OptimizerOptions& options);

/// Forgets a waiting forward() and gathered gradients.
void clearGradients(ModelSession& session);

/// What the gradients being gathered are multiplied with: 1 but in float16.
double lossScale(const ModelSession& session);

struct StepReport {
  double gradNorm = 0;   ///< before clipping, without the loss scale
  bool skipped = false;  ///< float16 overflowed: weights unchanged, gradients cleared, loss scale halved
};

/// Clips to `maxNorm` (0: not at all), steps, recasts the compute weights, clears the gradients.
/// Errors: INVALID_INPUT without an optimizer, or for numbers out of range; LOSS_NOT_FINITE when the norm is
/// not and that is not the loss scale's doing: weights are then unchanged and the gradients cleared.
StepReport stepOptimizer(ModelSession& session, double learningRate, double maxNorm);

}  // namespace adaptive
