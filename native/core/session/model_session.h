// One model and what training it needs, as long as it is open.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/dist/device_collectives.h"
#include "core/dist/gradient_sums.h"
#include "core/model/decoder.h"
#include "core/ops/ops.h"
#include "core/optim/grad_scaler.h"
#include "core/optim/optimizer.h"
#include "core/session/trace.h"
#include "core/session/training_pass.h"

namespace adaptive {

struct StateOfOthers;

struct ModelSession {
  /// Errors: checkDecoderConfig's.
  explicit ModelSession(const DecoderConfig& config, std::optional<at::Device> device = {});
  const int64_t number;  ///< no other session of this process has it
  /// Where weights go as they are read or drawn, by when it is known what type each is kept in; nothing: they
  /// stay where they are.
  const std::optional<at::Device> device;
  Decoder decoder;
  BaseModel base;  ///< what is kept of the model as it was before training
  std::unique_ptr<Optimizer> optimizer;
  std::optional<GradScaler> scaler;  ///< while float16 is computed in
  /// Between forward() and backward().
  struct Pending {
    std::optional<TrainingPass> pass;  ///< nothing where this rank has no rows of the micro-batch
    std::vector<float> weights;        ///< those of the configured loss, for a backward() that brings none
    bool endsWindow;
  };
  std::optional<Pending> pending;
  std::shared_ptr<RankGroup> ranks;         ///< null where one process trains alone
  std::optional<GradientSums> sums;         ///< with ranks
  std::optional<ZeroStage> zero;            ///< where the optimizer's state is shared out over them
  std::vector<Parameter*> mastersShared;    ///< each held by its owner alone
  std::shared_ptr<StateOfOthers> ofOthers;  ///< at rank 0, while it loads or saves
  std::shared_ptr<Trace> trace;             ///< null where none is kept
  int64_t windowGradients = 0;              ///< bytes of the last window's gradients
};

/// Keeps a trace of what is trained from now on, until takeTrace().
void beginTrace(ModelSession& session);
/// The trace since then; nothing without one.
std::vector<TraceSpan> takeTrace(ModelSession& session);

/// Trains the model together with other ranks from now on, which all call this; null: alone again. `ranks`
/// work on tensors of the host. Those of a model on another device go to what `make` makes, or by way of the
/// host where it cannot: returned is why; empty: they do not. `whyNot`: why there is no `make`. Errors:
/// RANKS_FAILED.
std::string joinRanks(ModelSession& session, std::shared_ptr<RankGroup> ranks,
                      const MakeCollectives& make = nullptr,
                      const std::string& whyNot = "there is nothing else");

struct SessionTypes {
  at::ScalarType compute = at::kFloat, masters = at::kFloat;  ///< as in Decoder::setTypes()
  bool gradientCheckpointing = false;
  double embeddingNoise = 0;  ///< as in Decoder::setEmbeddingNoise()
};

/// Sets what is computed in, and starts loss scaling anew. A forward() that waits for its backward(), and the
/// base that was kept, are forgotten: they hold numbers of the old type. Errors: INVALID_INPUT for types that
/// do not go together.
void configureSession(ModelSession& session, const SessionTypes& types);

/// Forgets the optimizer, a waiting forward() and the base that was kept: parameters are about to change
/// places.
void forgetTraining(ModelSession& session);

/// resizeVocabulary() for a session. Errors: INVALID_INPUT once an adapter, an optimizer or a forward() is
/// there.
void resizeSession(ModelSession& session, int64_t vocabSize, uint64_t seed);

/// Bytes that the masters take.
int64_t bytesOfMasters(const ModelSession& session);

/// Bytes that the tensors of a model take.
struct HeldMemory {
  int64_t weights = 0;
  int64_t optimizer = 0;       ///< where the weights are
  int64_t pagedOptimizer = 0;  ///< in memory of the host, where the weights are on a device with its own
  int64_t gradients = 0;       ///< of the last window, which are gone once the optimizer has moved
};
HeldMemory heldMemory(const ModelSession& session);

/// Of the device that the model is on, or will be once its weights are read; nothing where that is the CPU.
struct MemoryOfDevice : ops::DeviceMemory {
  int64_t available = 0;  ///< what its tensors can still take
};
std::optional<MemoryOfDevice> memoryOfDevice(const ModelSession& session);

}  // namespace adaptive
