#include "core/optim/adamw.h"

#include <ATen/ATen.h>

#include "core/ops/ops.h"

namespace adaptive {

AdamW::AdamW(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), moment1_(zerosForSlots()), moment2_(zerosForSlots()) {}

void AdamW::updateAll(const std::vector<Update>& updates) {
  // One call for all that share a rate and a decay: a device gets few launches.
  for (size_t first = 0; first < updates.size();) {
    const Update& shared = updates[first];
    std::vector<at::Tensor> weights, gradients, moments1, moments2;
    std::vector<int64_t> noises;
    for (; first < updates.size(); first++) {
      const Update& u = updates[first];
      if (u.learningRate != shared.learningRate || u.weightDecay != shared.weightDecay ||
          u.weight.scalar_type() != shared.weight.scalar_type())
        break;
      weights.push_back(u.weight);
      gradients.push_back(u.gradient);
      moments1.push_back(moment1_[u.slot]);
      moments2.push_back(moment2_[u.slot]);
      noises.push_back(u.noise);
    }
    ops::adamw_(weights, gradients, moments1, moments2, stepOf(shared), noises);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() {
  auto all = named(".exp_avg", moment1_);
  for (auto& entry : named(".exp_avg_sq", moment2_)) all.push_back(std::move(entry));
  return all;
}

}  // namespace adaptive
