#include "core/session/saved_session.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "core/error.h"
#include "core/io/stored_tensor.h"
#include "core/model/adapter.h"
#include "core/session/sharded_session.h"

namespace adaptive {
namespace {

Optimizer& optimizerOf(const ModelSession& session) {
  if (!session.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() first.");
  return *session.optimizer;
}

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

void receiveFromFirst(RankGroup& group, const at::Tensor& tensor) {
  if (tensor.is_cpu()) return group.receive(0, tensor);
  const at::Tensor host = at::empty(tensor.sizes(), at::dtype(tensor.scalar_type()));
  group.receive(0, host);
  tensor.copy_(host);
}

/// Ranks may have different states paged: all are copied where the weights are.
void copyStateFromFirst(const ModelSession& session, const at::Tensor& tensor) {
  const at::Tensor there = tensor.to(session.decoder.device());
  session.ranks->copyFrom(0, there)->wait();
  if (!there.is_same(tensor)) tensor.copy_(there);
}

/// Gives every rank its part of the state that rank 0 has read.
void handOut(ModelSession& session) {
  RankGroup& group = *session.ranks;
  for (const auto& [name, tensor] : session.optimizer->state()) {
    const int64_t owner = ownerOfState(session, name);
    if (owner == 0) continue;
    if (group.rank() == owner) receiveFromFirst(group, tensor);
    // Another process may read a mapped page before it is sent; a tensor of its own is sent.
    if (group.rank() == 0) group.send(owner, session.ofOthers->tensors.at(name).clone());
  }
  returnGathered(session);
}

}  // namespace

void saveWeights(ModelSession& session, const std::string& path, const std::string& header,
                 const std::vector<std::string>& names, at::ScalarType dtype, bool plain) {
  session.decoder.expectWeights();
  expectMasters(session);
  at::NoGradGuard noGrad;
  // Whole tables are those of the base.
  const Decoder::AdapterOff off(session.decoder);
  std::unordered_map<std::string, at::Tensor> weights;
  const std::vector<Parameter*> parameters = session.decoder.allParameters();
  for (const auto& list : {namedWeights(parameters), storedWeights(parameters)})
    for (const auto& [name, tensor] : list) weights.emplace(name, tensor);
  if (plain)
    for (const auto& [name, tensor] : plainWeights(session.decoder)) weights[name] = tensor;
  std::vector<at::Tensor> tensors;
  for (const std::string& name : names) {
    const auto found = weights.find(name);
    if (found == weights.end()) fail("INVALID_INPUT", "Expected the name of a weight, found \"", name, "\".");
    tensors.push_back(found->second);
  }
  checkRange(names, tensors, dtype);
  writeSafetensors(path, header, tensors, dtype);
}

OptimizerState optimizerState(const ModelSession& session) {
  Optimizer& optimizer = optimizerOf(session);
  auto tensors = optimizer.state();
  if (session.ofOthers) {
    for (auto& [name, tensor] : tensors)
      if (tensor.is_meta()) tensor = session.ofOthers->tensors.at(name);
  }
  return {std::move(tensors), optimizer.steps(),
          session.scaler ? session.scaler->state() : GradScaler::State{1, 0}};
}

void saveOptimizer(const ModelSession& session, const std::string& path, const std::string& header) {
  std::vector<at::Tensor> tensors;
  for (auto& [name, tensor] : optimizerState(session).tensors) {
    if (tensor.is_meta())
      fail("INVALID_INPUT", "Expected the optimizer's state at this rank, found that another rank holds ",
           name, " (zeroStage): it is to be gathered first, as trainer.save() does.");
    tensors.push_back(tensor);
  }
  writeSafetensors(path, header, tensors, std::nullopt);
}

void loadOptimizer(ModelSession& session, const WeightFile& entry, int64_t steps,
                   const GradScaler::State& scalerState) {
  at::NoGradGuard noGrad;
  Optimizer& optimizer = optimizerOf(session);
  const GradScaler scaler(scalerState);
  optimizer.setSteps(steps);
  auto others = std::make_shared<StateOfOthers>();
  others->file = std::make_unique<MappedFile>(entry.path);
  const MappedFile& file = *others->file;
  std::unordered_map<std::string, const StoredTensor*> stored;
  for (const StoredTensor& tensor : entry.tensors) stored.emplace(tensor.name, &tensor);
  for (auto& [name, target] : optimizer.state()) {
    const auto found = stored.find(name);
    if (found == stored.end())
      fail("WEIGHTS_MISMATCH", "Expected ", name, " in ", entry.path, ", found no such tensor.");
    const at::Tensor source = viewStored(file, *found->second);
    if (source.sizes() != target.sizes() || source.scalar_type() != target.scalar_type()) {
      fail("WEIGHTS_MISMATCH", "Expected ", name, " of shape ", target.sizes(), " and type ",
           storedType(target.scalar_type()), ", found ", source.sizes(), " and ", found->second->dtype,
           " in ", entry.path, ".");
    }
    if (source.is_floating_point() && !at::isfinite(source).all().item<bool>())
      fail("WEIGHTS_NOT_FINITE", "Expected finite numbers in ", name, " of ", entry.path, ", found others.");
    if (target.is_meta()) {
      others->tensors.emplace(name, source);
    } else {
      target.copy_(source);
    }
  }
  if (session.zero) session.ofOthers = std::move(others);
  if (session.scaler) session.scaler = scaler;
}

void copyFromFirstRank(ModelSession& session) {
  if (!session.ranks) fail("INVALID_INPUT", "Expected joinRanks() first.");
  at::NoGradGuard noGrad;
  Optimizer& optimizer = optimizerOf(session);
  for (const Parameter* parameter : session.decoder.trainableParameters())
    session.ranks->copyFrom(0, parameter->master())->wait();
  const GradScaler::State scaler = session.scaler ? session.scaler->state() : GradScaler::State();
  const at::Tensor counts = at::tensor({static_cast<double>(optimizer.steps()), scaler.scale,
                                        static_cast<double>(scaler.goodSteps), session.ofOthers ? 1.0 : 0.0},
                                       at::kDouble);
  session.ranks->copyFrom(0, counts)->wait();
  const double* values = counts.const_data_ptr<double>();
  if (!session.zero) {
    for (const auto& [name, tensor] : optimizer.state()) copyStateFromFirst(session, tensor);
  } else if (values[3] > 0) {
    handOut(session);
  }
  session.ranks->rest();
  optimizer.setSteps(static_cast<int64_t>(values[0]));
  if (session.scaler) session.scaler.emplace(GradScaler::State{values[1], static_cast<int64_t>(values[2])});
  session.decoder.refreshCompute();
}

}  // namespace adaptive
