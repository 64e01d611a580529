// Adapters on a base in 4 or 8 bits, on a device: the CPU's numbers, and what is saved is of no device.
#include "check.h"
#include "core/model/adapter.h"
#include "core/model/quantize_weights.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"
#include "core/session/weights_digest.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

std::vector<Kind> kinds() {
  const auto kind = [](const char* name, const Quantization& base) {
    Kind own = {name, gemma()};
    own.adapter = true, own.base = base;
    return own;
  };
  std::vector<Kind> all = {kind("nf4", {.nested = true}), kind("fp4", {.type = QuantType::Fp4}),
                           kind("int8", {.type = QuantType::Int8})};
  all.push_back(kind("magnitude and dropout", {.blockSize = 32, .nested = true}));
  all.back().magnitude = all.back().dropout = true;
  all.push_back(kind("bfloat16", {.nested = true}));
  all.back().types.compute = at::kBFloat16, all.back().tolerance = 3e-2;
  return all;
}

LossRequest lossRequest() { return {.topK = 2, .bias = {}}; }

double lossOf(ModelSession& session) { return evaluate(session, someRows(), lossRequest()).loss.loss; }

}  // namespace

TEST("an adapter on a base in 4 or 8 bits trains on a device as it does on the CPU") {
  for (const Kind& kind : kinds()) {
    const Trained expected = trained(kind, false);
    const MixedCalls calls;
    const Trained actual = trained(kind, true);
    check(calls.names().empty(), kind.name + ": no operator mixes devices, found" + calls.names());
    check(weightsDigest(actual.session->decoder) == weightsDigest(expected.session->decoder),
          kind.name + ": the same bits of the base");
    for (size_t i = 0; i < expected.losses.size(); i++) {
      checkNear(actual.losses[i] / expected.losses[i], 1, kind.tolerance, kind.name + ": loss");
      checkNear(actual.norms[i] / expected.norms[i], 1, kind.tolerance * 5, kind.name + ": norm");
    }
    // What was trained is merged into floats of the device.
    mergeAdapter(actual.session->decoder), mergeAdapter(expected.session->decoder);
    checkNear(lossOf(*actual.session) / lossOf(*expected.session), 1, kind.tolerance, kind.name + ": merged");
  }
}

TEST("an adapter and its optimizer move between devices, with a base in 4 bits under them") {
  const Kind kind = kinds()[0];
  for (const bool fromDevice : {true, false}) {
    const Trained run = trained(kind, fromDevice);
    const Folder folder;
    const auto adapter = namedWeights(run.session->decoder.adapterParameters());
    const OptimizerState state = optimizerState(*run.session);
    const WeightFile weights = written(folder.file("adapter"), adapter),
                     moments = written(folder.file("optimizer"), state.tensors);
    const auto there = opened(kind, !fromDevice);
    loadWeights(there->decoder, {weights}, WeightScope::Adapter);
    loadOptimizer(*there, moments, state.steps, state.scaler);
    const auto moved = namedWeights(there->decoder.adapterParameters());
    for (size_t i = 0; i < adapter.size(); i++)
      checkSame(moved[i].second.cpu(), adapter[i].second.cpu(), adapter[i].first);
    for (int step = 0; step < 2; step++) {
      const double own = trainMicroBatch(*run.session, someRows(), lossRequest()).loss.loss;
      checkNear(trainMicroBatch(*there, someRows(), lossRequest()).loss.loss / own, 1, kind.tolerance,
                "loss");
      stepOptimizer(*run.session, 1e-2, 1), stepOptimizer(*there, 1e-2, 1);
    }
  }
}

TEST("a base moves with its bits, and what a checkpoint has of them is read on a device") {
  const Kind kind = kinds()[0];
  const auto on = opened(kind, true), off = opened(kind, false);
  const double expected = lossOf(*off);
  off->decoder.moveTo(testDevice());
  checkNear(lossOf(*off) / expected, 1, kind.tolerance, "the loss after a move");
  off->decoder.moveTo(at::kCPU);
  checkNear(lossOf(*off) / expected, 1, 1e-9, "the loss after a move and back");
  // As bitsandbytes stores it: bits, scales, and the scales of those.
  std::vector<std::pair<std::string, at::Tensor>> stored = storedWeights(off->decoder.parameters());
  std::vector<QuantizedWeight> weights;
  for (const Parameter* parameter : off->decoder.parameters()) {
    for (const ParameterPart& part : parameter->parts()) {
      const QuantizedMatrix* matrix = parameter->quantized(part);
      if (!matrix) continue;
      weights.push_back({part.name, matrix->how()});
      for (const auto& [suffix, tensor] : matrix->stored()) stored.emplace_back(part.name + suffix, tensor);
    }
  }
  const Folder folder;
  const WeightFile file = written(folder.file("bits"), stored);
  ModelSession read(kind.config);
  read.decoder.moveTo(testDevice());
  quantizeWeights(read.decoder, weights);
  loadWeights(read.decoder, {file}, WeightScope::Model);
  check(weightsDigest(read.decoder) == weightsDigest(on->decoder), "the same base");
  checkNear(lossOf(read) / expected, 1, kind.tolerance, "its loss");
}
