#include "core/session/check_device.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/model/generation.h"
#include "core/model/initialise_weights.h"
#include "core/session/training_step.h"

namespace adaptive {
namespace {

/// Grouped heads of a size that every kernel of attention takes, and a window.
DecoderConfig smallModel() {
  DecoderConfig config;
  config.vocabSize = 199, config.hiddenSize = 64, config.intermediateSize = 96, config.heads = 4,
  config.kvHeads = 2, config.headDim = 16;
  config.ropes = {{.theta = 10000, .dims = 16}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 0.25});
  config.layerConfigs[1].window = 7;
  return config;
}

MicroBatch someRows() {
  MicroBatch batch = {{{}, {0, 21, 40}}, {}, {LearningStyle::Ideas, LearningStyle::Attention}};
  for (int64_t i = 0; i < 40; i++) batch.tokens.ids.push_back(i * i % 199);
  batch.labels.assign(batch.tokens.ids.begin(), batch.tokens.ids.end());
  return batch;
}

/// A name for a message, what was found, and how far apart two may be, as a share.
struct Finding {
  std::string what;
  double value, tolerance;
};

void addSteps(std::vector<Finding>& findings, ModelSession& session, at::ScalarType type, double tolerance) {
  const std::string in = c10::str(" in ", c10::toString(type));
  createOptimizer(session, "adamw", {.weightDecay = 0.01});
  for (int step = 1; step <= 2; step++) {
    const double loss = trainMicroBatch(session, someRows(), {.topK = 2, .bias = {}}).loss.loss;
    findings.push_back({c10::str("the loss of step ", step, in), loss, tolerance});
    const double norm = stepOptimizer(session, 1e-3, 1).gradNorm;
    findings.push_back({c10::str("the gradient norm of step ", step, in), norm, 5 * tolerance});
  }
}

/// The mean of the last logits of a prompt and of the token after it: of a cache, and of what was added to
/// it.
void addLogits(std::vector<Finding>& findings, Decoder& decoder) {
  at::NoGradGuard noGrad;
  KvCache cache(decoder.config().layers());
  const auto largest = [&](const std::vector<int64_t>& ids) {
    const FlatBatch batch = {ids, {0, static_cast<int64_t>(ids.size())}};
    return decoder.logits(decoder.hiddenStates(batch, {&cache})).abs().sum().item<double>();
  };
  findings.push_back({"the logits of a prompt", largest({5, 9, 3, 17}), 1e-4});
  findings.push_back({"the logits of the token after it", largest({4}), 1e-4});
}

std::vector<Finding> findingsOn(at::Device device) {
  std::vector<Finding> findings;
  // float16 and bfloat16 round to 5e-4 and 4e-3 of a number, many times.
  for (const auto& [type, tolerance] :
       {std::pair(at::kFloat, 1e-4), {at::kBFloat16, 3e-2}, {at::kHalf, 5e-3}}) {
    ModelSession session(smallModel());
    session.decoder.moveTo(device);
    initialiseWeights(session.decoder, {.deviation = 0.2, .residualDeviation = 0.1, .seed = 1});
    configureSession(session, {.compute = type});
    if (type == at::kFloat) addLogits(findings, session.decoder);
    addSteps(findings, session, type, tolerance);
  }
  return findings;
}

}  // namespace

std::string differenceOnDevice(at::Device device) {
  const at::Device host = at::empty({0}).device();
  const std::vector<Finding> expected = findingsOn(host), found = findingsOn(device);
  for (size_t i = 0; i < expected.size(); i++) {
    const auto& [what, value, tolerance] = expected[i];
    const bool same = std::isfinite(value) ? std::abs(found[i].value - value) <= tolerance * std::abs(value)
                                           : !std::isfinite(found[i].value);
    if (!same) return c10::str(what, " is ", found[i].value, ", and ", value, " on the CPU");
  }
  return {};
}

}  // namespace adaptive
