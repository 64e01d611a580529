#include "core/optim/adamw.h"

#include <ATen/ATen.h>

#include <map>

#include "core/ops/ops.h"

namespace adaptive {

AdamW::AdamW(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), moment1_(tensorsForSlots()), moment2_(tensorsForSlots()) {}

void AdamW::updateAll(const std::vector<Update>& updates) {
  struct Group {
    AdamStep step;
    std::vector<at::Tensor> weights, gradients, moments1, moments2;
    std::vector<int64_t> noises;
  };
  // One call for all that share a rate and a decay: a device gets few launches.
  std::map<std::pair<double, double>, Group> groups;
  for (const Update& u : updates) {
    Group& group = groups[{u.learningRate, u.weightDecay}];
    group.step = stepOf(u);
    group.weights.push_back(u.weight);
    group.gradients.push_back(u.gradient);
    group.moments1.push_back(moment1_[u.slot]);
    group.moments2.push_back(moment2_[u.slot]);
    group.noises.push_back(u.noise);
  }
  for (const auto& [key, group] : groups)
    ops::adamw_(group.weights, group.gradients, group.moments1, group.moments2, group.step, group.noises);
}

std::vector<StateTensor> AdamW::statesOf(size_t slot) { return {{&moment1_[slot]}, {&moment2_[slot]}}; }

std::vector<std::pair<std::string, at::Tensor>> AdamW::namedState() {
  auto all = named(".exp_avg", moment1_);
  for (auto& entry : named(".exp_avg_sq", moment2_)) all.push_back(std::move(entry));
  return all;
}

}  // namespace adaptive
