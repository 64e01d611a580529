// What of a session goes to disk: weights, and the optimizer for a restart.
#pragma once
#include "core/model/load_weights.h"
#include "core/session/model_session.h"

namespace adaptive {

/// Writes the named weights, cast to `dtype`, as a safetensors file. `plain`: of an adapter that was taken
/// out of its base, A and B of twice the rank that do the same on the base as it was (PEFT's conversion).
/// Errors: INVALID_INPUT for a name that no weight has, for weights that `dtype` would turn into infinities,
/// or before there are weights; IO_FAILED.
void saveWeights(ModelSession& session, const std::string& path, const std::string& header,
                 const std::vector<std::string>& names, at::ScalarType dtype, bool plain = false);

/// The tensors of the optimizer, in the order that saveOptimizer writes them, and its counts.
struct OptimizerState {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  int64_t steps = 0;
  GradScaler::State scaler;
};

/// Errors: INVALID_INPUT without an optimizer. What other ranks hold has a shape and a type alone, unless it
/// was gathered.
OptimizerState optimizerState(const ModelSession& session);

/// Writes the optimizer's tensors as they are.
void saveOptimizer(const ModelSession& session, const std::string& path, const std::string& header);

/// Fills the optimizer from a file written by saveOptimizer. Errors: WEIGHTS_MISMATCH naming a tensor that is
/// missing or of another shape or type; WEIGHTS_NOT_FINITE; INVALID_INPUT for counts that no optimizer has.
/// What other ranks hold is kept mapped for copyFromFirstRank().
void loadOptimizer(ModelSession& session, const WeightFile& file, int64_t steps,
                   const GradScaler::State& scaler);

/// Replaces what is trained, and the optimizer with its counts, by what rank 0 has. Errors: INVALID_INPUT
/// without ranks or an optimizer; RANKS_FAILED.
void copyFromFirstRank(ModelSession& session);

}  // namespace adaptive
