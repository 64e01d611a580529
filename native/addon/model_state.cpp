#include "addon/model_state.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "core/error.h"
#include "core/io/stored_tensor.h"
#include "core/model/load_weights.h"
#include "core/optim/gradient_norm.h"
#include "core/train/find_non_finite.h"

namespace adaptive::addon {

namespace {

int64_t nextNumber() {
  static int64_t last = 0;  // models are made on the engine thread alone
  return ++last;
}

}  // namespace

ModelState::ModelState(const DecoderConfig& config) : number(nextNumber()), decoder(config) {}

int64_t ModelState::bytes() const {
  int64_t total = 0;
  for (const Parameter* parameter : decoder.allParameters())
    total += static_cast<int64_t>(parameter->master().nbytes());
  return total;
}

void ModelState::forgetTraining() {
  pending.reset();
  optimizer.reset();
}

void checkFinite(const LossReport& report, const TrainingPass& pass) {
  if (std::isfinite(report.loss)) return;
  const auto& nll = pass.statistics().nll;
  for (size_t i = 0; i < nll.size(); i++) {
    if (std::isfinite(nll[i])) continue;
    fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ": the logits of row ",
         pass.tokens().rows[i],
         " of the micro-batch are not finite. A lower learningRate or maxGradNorm usually helps.");
  }
  fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ".");
}

HeldMemory heldMemory(ModelState& state) {
  HeldMemory held;
  for (const Parameter* parameter : state.decoder.allParameters()) {
    held.weights += static_cast<int64_t>(parameter->master().nbytes());
    if (!parameter->compute().is_same(parameter->master()))
      held.weights += static_cast<int64_t>(parameter->compute().nbytes());
    held.gradients += parameter->gradientBytes();
  }
  if (!state.optimizer) return held;
  for (const auto& [name, tensor] : state.optimizer->state())
    held.optimizer += static_cast<int64_t>(tensor.nbytes());
  return held;
}

void backwardOf(ModelState& state, const std::optional<std::vector<float>>& onNll) {
  if (!state.pending) fail("INVALID_INPUT", "Expected forward() before backward().");
  std::vector<float> weights = state.pendingWeights;
  if (onNll) {
    const auto expected = static_cast<size_t>(state.pending->tokens().size());
    if (onNll->size() != expected) {
      fail("INVALID_INPUT", "Expected one weight per labelled token (", expected, "), found ", onNll->size(),
           ".");
    }
    weights.assign(2 * expected, 0.f);
    for (size_t i = 0; i < expected; i++) weights[2 * i] = (*onNll)[i];
  }
  scaleWeights(state, weights);
  state.pending->backward(weights);
  state.pending.reset();
}

GradientReport lossAndGradientsOf(ModelState& state, const FlatBatch& batch) {
  checkFlatBatch(batch, state.decoder.config().vocabSize);
  const std::vector<int32_t> labels(batch.ids.begin(), batch.ids.end());
  const std::vector<LearningStyle> styles(batch.cuSeqlens.size() - 1, LearningStyle::Misc);
  state.pending.reset();
  state.decoder.clearGradients();
  TrainingPass pass(state.decoder, {batch, labels, styles}, /*training=*/true);
  if (pass.tokens().size() == 0) fail("INVALID_INPUT", "Expected a row of at least two tokens, found none.");
  std::vector<float> weights;
  GradientReport report;
  report.loss =
      lossReport(pass.statistics(), pass.tokens(), {.kind = LossKind::CrossEntropy, .bias = {}}, &weights)
          .loss;
  pass.backward(weights);
  for (Parameter* parameter : state.decoder.trainableParameters()) {
    const at::Tensor gradient = parameter->gradientToAddTo();
    for (const auto& part : parameter->parts()) {
      report.gradients.emplace_back(part.name,
                                    Parameter::asStored(gradient, part).clone(at::MemoryFormat::Contiguous));
    }
  }
  state.decoder.clearGradients();
  return report;
}

double lossScale(const ModelState& state) { return state.scaler ? state.scaler->scale() : 1; }

void scaleWeights(const ModelState& state, std::vector<float>& weights) {
  const auto scale = static_cast<float>(lossScale(state));
  if (scale == 1) return;
  for (float& weight : weights) weight *= scale;
}

StepReport stepOptimizer(ModelState& state, double learningRate, double maxNorm) {
  if (!state.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() before optimizerStep().");
  const auto parameters = state.decoder.trainableParameters();
  const double scale = lossScale(state);
  const double norm = gradientNorm(parameters) / scale;
  if (state.scaler && !state.scaler->update(norm)) {
    state.decoder.clearGradients();
    return {norm, /*skipped=*/true};
  }
  if (!std::isfinite(norm)) {
    const std::string where = nonFiniteGradient(state.decoder);
    state.decoder.clearGradients();
    fail("LOSS_NOT_FINITE", "Expected a finite gradient norm, found ", norm,
         where.empty() ? "" : ", first in the gradient of ", where, ". A lower learningRate usually helps.");
  }
  state.optimizer->step(learningRate, clippingScale(norm, maxNorm) / scale);
  state.decoder.refreshCompute();
  state.decoder.clearGradients();
  return {norm};
}

namespace {

/// Refuses what `dtype` would turn into an infinity.
void checkRange(const std::vector<std::string>& names, const std::vector<at::Tensor>& tensors,
                at::ScalarType dtype) {
  if (dtype != at::kHalf && dtype != at::kBFloat16) return;
  // From halfway to the number after the largest one on, a value is rounded up.
  const double limit = dtype == at::kHalf ? 65520.0 : 3.3961775292304957e38;
  constexpr int64_t kShown = 10;
  std::string found;
  int64_t count = 0;
  for (size_t i = 0; i < tensors.size(); i++) {
    const auto [least, most] = at::aminmax(tensors[i]);
    if (most.item<double>() < limit && least.item<double>() > -limit) continue;
    const int64_t over = ((tensors[i] >= limit).sum() + (tensors[i] <= -limit).sum()).item<int64_t>();
    if (over == 0 || ++count > kShown) continue;
    found += (found.empty() ? "" : ", ") + names[i] + " (" + std::to_string(over) + ")";
  }
  if (count == 0) return;
  if (count > kShown) found += " and " + std::to_string(count - kShown) + " more tensors";
  fail("INVALID_INPUT", "Expected weights that ", storedType(dtype) == "F16" ? "float16" : "bfloat16",
       " can hold (up to ", dtype == at::kHalf ? "65504" : "3.39e38", "), found larger ones in ", found,
       ". Save them as ", dtype == at::kHalf ? "bfloat16 or float32" : "float32", " (saveDtype, dtype).");
}

}  // namespace

void saveWeights(const Decoder& decoder, const std::string& path, const std::string& header,
                 const std::vector<std::string>& names, at::ScalarType dtype) {
  std::unordered_map<std::string, at::Tensor> weights;
  for (auto& [name, tensor] : namedWeights(decoder.allParameters())) weights.emplace(name, tensor);
  std::vector<at::Tensor> tensors;
  for (const std::string& name : names) {
    const auto found = weights.find(name);
    if (found == weights.end()) fail("INVALID_INPUT", "Expected the name of a weight, found ", name, ".");
    tensors.push_back(found->second);
  }
  checkRange(names, tensors, dtype);
  writeSafetensors(path, header, tensors, dtype);
}

namespace {

Optimizer& optimizerOf(ModelState& state) {
  if (!state.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() first.");
  return *state.optimizer;
}

}  // namespace

void saveOptimizer(ModelState& state, const std::string& path, const std::string& header) {
  std::vector<at::Tensor> tensors;
  for (auto& [name, tensor] : optimizerOf(state).state()) tensors.push_back(tensor);
  writeSafetensors(path, header, tensors, std::nullopt);
}

void loadOptimizer(ModelState& state, const WeightFile& entry, int64_t steps) {
  at::NoGradGuard noGrad;
  const MappedFile file(entry.path);
  std::unordered_map<std::string, const StoredTensor*> stored;
  for (const StoredTensor& tensor : entry.tensors) stored.emplace(tensor.name, &tensor);
  for (auto& [name, target] : optimizerOf(state).state()) {
    const auto found = stored.find(name);
    if (found == stored.end())
      fail("WEIGHTS_MISMATCH", "Expected ", name, " in ", entry.path, ", found no such tensor.");
    const at::Tensor source = viewStored(file, *found->second);
    if (source.sizes() != target.sizes() || source.scalar_type() != target.scalar_type()) {
      fail("WEIGHTS_MISMATCH", "Expected ", name, " of shape ", target.sizes(), " and type ",
           storedType(target.scalar_type()), ", found ", source.sizes(), " and ", found->second->dtype,
           " in ", entry.path, ".");
    }
    target.copy_(source);
  }
  state.optimizer->setSteps(steps);
}

}  // namespace adaptive::addon
