// What stands behind one JavaScript model, and the steps of training it. Everything here runs on the engine
// thread.
#pragma once
#include <optional>

#include "core/loss/training_loss.h"
#include "core/model/decoder.h"
#include "core/model/load_weights.h"
#include "core/optim/grad_scaler.h"
#include "core/optim/optimizer.h"
#include "core/train/training_pass.h"

namespace adaptive::addon {

struct ModelState {
  explicit ModelState(const DecoderConfig& config);
  const int64_t number;  ///< no other model of this process has it
  Decoder decoder;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<GradScaler> scaler;     ///< while float16 is computed in
  std::optional<TrainingPass> pending;  ///< between forward() and backward()
  std::vector<float> pendingWeights;    ///< those of the configured loss, for a backward() that brings none
  int64_t bytes() const;
  /// Lets go of whatever points at parameters: they are about to change.
  void forgetTraining();
};

/// Bytes that the tensors of a model take between two steps.
struct HeldMemory {
  int64_t weights = 0, gradients = 0, optimizer = 0;
};
HeldMemory heldMemory(ModelState& state);

/// Errors: LOSS_NOT_FINITE naming the first row whose logits are not.
void checkFinite(const LossReport& report, const TrainingPass& pass);

/// Finishes what forward() began. `onNll`: ∂loss/∂nll of each labelled token; absent: the weights of the
/// configured loss. Errors: INVALID_INPUT without a forward() or for another number of weights.
void backwardOf(ModelState& state, const std::optional<std::vector<float>>& onNll);

struct GradientReport {
  double loss = 0;
  std::vector<std::pair<std::string, at::Tensor>> gradients;
};

/// Mean next-token cross-entropy over all rows and the gradient of every weight. Forgets gathered gradients.
GradientReport lossAndGradientsOf(ModelState& state, const FlatBatch& batch);

/// What the gradients being gathered are multiplied with: 1 but in float16.
double lossScale(const ModelState& state);

/// Multiplies the weights of a micro-batch's tokens with lossScale().
void scaleWeights(const ModelState& state, std::vector<float>& weights);

struct StepReport {
  double gradNorm = 0;   ///< before clipping, without the loss scale
  bool skipped = false;  ///< float16 overflowed: weights unchanged, gradients cleared, loss scale halved
};

/// Clips, steps, recasts the compute weights, clears the gradients.
/// Errors: LOSS_NOT_FINITE when the norm is not and that is not the loss scale's doing; weights are then
/// unchanged and the gradients cleared.
StepReport stepOptimizer(ModelState& state, double learningRate, double maxNorm);

/// Writes the named weights, cast to `dtype`, as a safetensors file.
void saveWeights(const Decoder& decoder, const std::string& path, const std::string& header,
                 const std::vector<std::string>& names, at::ScalarType dtype);

/// Writes the optimizer's tensors as they are, in the order of Optimizer::state().
void saveOptimizer(ModelState& state, const std::string& path, const std::string& header);

/// Fills the optimizer from a file written by saveOptimizer. Errors: WEIGHTS_MISMATCH naming a tensor that is
/// missing or of another shape or type.
void loadOptimizer(ModelState& state, const WeightFile& file, int64_t steps);

}  // namespace adaptive::addon
