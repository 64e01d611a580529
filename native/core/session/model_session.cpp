#include "core/session/model_session.h"

#include <ATen/ATen.h>

#include <atomic>

#include "core/dist/device_group.h"
#include "core/expect.h"
#include "core/model/resize_vocabulary.h"
#include "core/session/sharded_session.h"

namespace adaptive {
namespace {

int64_t nextNumber() {
  static std::atomic<int64_t> last{0};
  return ++last;
}

/// Tells who wants to know how far backward is.
void watchBackward(ModelSession& session) {
  if (!session.sums && !session.trace) return session.decoder.watchBackward(nullptr);
  session.decoder.watchBackward([&session](int64_t layer) {
    if (session.trace) session.trace->reached(layer);
    if (session.sums) session.sums->reached(layer);
  });
}

}  // namespace

ModelSession::ModelSession(const DecoderConfig& config, std::optional<at::Device> device)
    : number(nextNumber()), device(device), decoder(config) {}

std::string joinRanks(ModelSession& session, std::shared_ptr<RankGroup> ranks, const MakeCollectives& make,
                      const std::string& whyNot) {
  expectMasters(session);
  takeTrace(session);
  session.sums.reset();
  session.zero.reset();
  session.mastersShared.clear();
  session.ofOthers.reset();
  session.ranks.reset();
  std::string byHostBecause;
  if (ranks && !session.decoder.device().is_cpu()) {
    JoinedOnDevice joined = joinOnDevice(std::move(ranks), session.decoder.device(), make, whyNot);
    ranks = std::move(joined.group), byHostBecause = std::move(joined.byHostBecause);
  }
  session.ranks = std::move(ranks);
  if (session.ranks) session.sums.emplace(*session.ranks, session.decoder);
  watchBackward(session);
  return byHostBecause;
}

void beginTrace(ModelSession& session) {
  session.trace = std::make_shared<Trace>();
  watchBackward(session);
  if (!session.ranks) return;
  session.ranks->watch([trace = session.trace](const at::Tensor& tensor) {
    return [trace, ended = trace->beginSum(static_cast<int64_t>(tensor.nbytes()))] { ended(); };
  });
}

std::vector<TraceSpan> takeTrace(ModelSession& session) {
  if (!session.trace) return {};
  if (session.ranks) session.ranks->watch(nullptr);
  auto spans = session.trace->take();
  session.trace.reset();
  watchBackward(session);
  return spans;
}

void configureSession(ModelSession& session, const SessionTypes& types) {
  expectMasters(session);
  session.decoder.setTypes(types.compute, types.masters);
  session.decoder.setCheckpointing(types.gradientCheckpointing);
  expectNotNegative("embeddingNoise", types.embeddingNoise);
  session.decoder.setEmbeddingNoise(types.embeddingNoise);
  session.pending.reset();
  session.base = {};
  session.scaler.reset();
  if (types.compute == at::kHalf) session.scaler.emplace();
}

void forgetTraining(ModelSession& session) {
  session.pending.reset();
  session.base = {};
  session.optimizer.reset();
}

void resizeSession(ModelSession& session, int64_t vocabSize, uint64_t seed) {
  // Moments of the optimizer have the old shape, and a graph that is under way the old rows.
  if (session.optimizer || session.pending || !session.decoder.adapterParameters().empty())
    fail("INVALID_INPUT",
         "Expected the vocabulary to be resized before an adapter is added and training begins.");
  resizeVocabulary(session.decoder, vocabSize, seed);
}

int64_t bytesOfMasters(const ModelSession& session) {
  int64_t total = 0;
  for (const Parameter* parameter : session.decoder.allParameters())
    total += parameter->isQuantized() || parameter->isMasterReleased()
                 ? parameter->weightBytes()
                 : static_cast<int64_t>(parameter->master().nbytes());
  return total;
}

std::optional<MemoryOfDevice> memoryOfDevice(const ModelSession& session) {
  const at::Device device = session.device.value_or(session.decoder.device());
  if (device.is_cpu()) return std::nullopt;
  const at::Tensor there = at::empty({0}, at::TensorOptions(device));
  return MemoryOfDevice{ops::deviceMemory(there), ops::freeBytes(there)};
}

HeldMemory heldMemory(const ModelSession& session) {
  HeldMemory held;
  held.weights = session.base.bytes();
  held.gradients = session.windowGradients;
  for (const Parameter* parameter : session.decoder.allParameters()) held.weights += parameter->weightBytes();
  if (!session.optimizer) return held;
  const StateMemory state = session.optimizer->memory();
  held.optimizer = state.held, held.pagedOptimizer = state.paged;
  return held;
}

}  // namespace adaptive
