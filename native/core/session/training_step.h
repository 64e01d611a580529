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

/// What training on a micro-batch tells of it.
struct TrainReport {
  LossReport loss;
  Retained retained;
};

/// Gathers the gradients of one micro-batch. With several ranks the batch is this rank's part of it, which
/// may be empty, and the report is of the whole. Errors: INVALID_INPUT; LOSS_NOT_FINITE naming the first row
/// whose logits are not finite, or a retained token: of that micro-batch nothing is of use then.
TrainReport trainMicroBatch(ModelSession& session, const MicroBatch& batch, const LossRequest& loss);

/// The first half of trainMicroBatch(): its graph waits for backward(). Errors: as there; nothing waits then.
PassReport forward(ModelSession& session, const MicroBatch& batch, const LossRequest& loss);

/// Finishes what forward() began. `onNll`: ∂loss/∂nll of each labelled token; absent: the weights of the
/// configured loss. Errors: INVALID_INPUT without a forward() or for another number of weights;
/// LOSS_NOT_FINITE.
Retained backward(ModelSession& session, const std::optional<std::vector<float>>& onNll);

struct EvaluateOptions {
  int64_t firstChoices = 0;  ///< so many of the model's own, beside the statistics
  bool acrossRanks = false;  ///< the batch is this rank's part, the loss that of all parts
};

/// Loss and statistics without gradients; a loss that is not finite is returned as it is.
PassReport evaluate(ModelSession& session, const MicroBatch& batch, const LossRequest& loss,
                    const EvaluateOptions& options = {});

/// How far the model has moved from its base on a micro-batch whose rows are all retained; no gradients.
Retained divergence(ModelSession& session, const FlatBatch& batch, const RetainedRows& rows);

struct GradientReport {
  double loss = 0;
  std::vector<std::pair<std::string, at::Tensor>> gradients;
};

/// Mean next-token cross-entropy over all rows and the gradient of every weight. Forgets gathered gradients.
GradientReport lossAndGradients(ModelSession& session, const FlatBatch& batch);

/// Makes the optimizer `name` for what is trained. Forgets gathered gradients. Errors: makeOptimizer's.
/// `zeroStage`: how its state is shared out over ranks (setZeroStage()).
void createOptimizer(ModelSession& session, const std::string& name, OptimizerOptions options,
                     int64_t zeroStage = 0);

/// Forgets a waiting forward() and gathered gradients.
void clearGradients(ModelSession& session);

/// What the gradients being gathered are multiplied with: 1 but in float16.
double lossScale(const ModelSession& session);

struct StepReport {
  double gradNorm = 0;   ///< before clipping, without the loss scale
  bool skipped = false;  ///< float16 overflowed: weights unchanged, gradients cleared, loss scale halved
};

/// Lets steps pull the weights to what they hold now, which `files` hold too. Errors: INVALID_INPUT without
/// an optimizer; BaseWeights'.
void setBaseWeights(ModelSession& session, const std::vector<WeightFile>& files);

/// Clips to `maxNorm` (0: not at all), steps, pulls the weights to their base by the share `pull`, recasts
/// the compute weights, clears the gradients. Errors: INVALID_INPUT without an optimizer, or for numbers out
/// of range; LOSS_NOT_FINITE when the norm is not and that is not the loss scale's doing: weights are then
/// unchanged and the gradients cleared.
StepReport stepOptimizer(ModelSession& session, double learningRate, double maxNorm, double pull = 0);

}  // namespace adaptive
