#include "core/optim/adamw.h"

#include <ATen/ATen.h>

namespace adaptive {

AdamW::AdamW(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  for (const Parameter* parameter : parameters_) {
    moment1_.push_back(at::zeros_like(parameter->master()));
    moment2_.push_back(at::zeros_like(parameter->master()));
  }
}

void AdamW::step(double learningRate, double gradientScale) {
  at::NoGradGuard noGrad;
  steps_++;
  // The kernel divides by this scale.
  const at::Tensor inverseScale = at::scalar_tensor(1.0 / gradientScale, at::kFloat);
  for (const bool decays : {true, false}) {
    std::vector<at::Tensor> masters, gradients, moment1, moment2, steps;
    for (size_t i = 0; i < parameters_.size(); i++) {
      const at::Tensor gradient = parameters_[i]->gradient();
      if (parameters_[i]->decays() != decays || !gradient.defined()) continue;
      masters.push_back(parameters_[i]->master());
      gradients.push_back(gradient);
      moment1.push_back(moment1_[i]);
      moment2.push_back(moment2_[i]);
      steps.push_back(at::scalar_tensor(static_cast<double>(steps_), at::kFloat));
    }
    if (masters.empty()) continue;
    at::_fused_adamw_(masters, gradients, moment1, moment2, /*max_exp_avg_sqs=*/{}, steps, learningRate,
                      options_.beta1, options_.beta2, decays ? options_.weightDecay : 0.0, options_.eps,
                      /*amsgrad=*/false,
                      /*maximize=*/false, inverseScale, /*found_inf=*/{});
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (size_t i = 0; i < parameters_.size(); i++) {
    for (const auto& part : parameters_[i]->parts()) {
      named.emplace_back(part.name + ".exp_avg", Parameter::rowsOf(moment1_[i], part));
      named.emplace_back(part.name + ".exp_avg_sq", Parameter::rowsOf(moment2_[i], part));
    }
  }
  return named;
}

}  // namespace adaptive
