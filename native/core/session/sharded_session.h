// A session whose optimizer state and masters are shared out over ranks (ZeRO). All ranks call these in the
// same order.
#pragma once
#include <string>

#include "core/session/model_session.h"

namespace adaptive {

/// What other ranks hold, mapped from a file, while rank 0 loads or saves a run.
struct StateOfOthers {
  std::unique_ptr<MappedFile> file;
  std::unordered_map<std::string, at::Tensor> tensors;  ///< of the optimizer, by name
};

/// Shares out what the optimizer is about to hold, at stage 1 or 2; 0: every rank holds all. Errors:
/// INVALID_INPUT for another stage, or where masters are shared out already.
void setZeroStage(ModelSession& session, int64_t stage);

/// Which rank holds a tensor of the optimizer.
int64_t ownerOfState(const ModelSession& session, const std::string& name);

/// Leaves the masters that nothing but the optimizer reads to the ranks that move them, and makes room for
/// gradients. Nothing at stage 0.
void shareMasters(ModelSession& session);

/// After a step of the optimizer: gives every rank the weights that the others moved.
void shareWeights(ModelSession& session);

struct Gathered {
  bool masters = true, optimizer = true;
};

/// Lends rank 0 what the other ranks hold, by way of a file that has no name any more once this returns: one
/// piece at a time is in memory. Saving works there until returnGathered(). `path`: of that file, at rank 0.
/// Errors: IO_FAILED at rank 0, where the file could not be written; RANKS_FAILED.
void gatherAtFirst(ModelSession& session, const std::string& path, const Gathered& wanted);

/// Ends what gatherAtFirst() began, or loadOptimizer() of a sharded session.
void returnGathered(ModelSession& session);

/// Every rank holds the whole model again, and no rank an optimizer. Errors: RANKS_FAILED.
void endSharing(ModelSession& session);

/// Errors: INVALID_INPUT where masters are other ranks'.
void expectMasters(const ModelSession& session);

}  // namespace adaptive
