#include "core/optim/adamw.h"

#include <ATen/ATen.h>

#include "core/optim/float_slabs.h"

namespace adaptive {

AdamW::AdamW(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), moment1_(zerosForSlots()), moment2_(zerosForSlots()) {}

void AdamW::update(const Update& u) {
  // The kernel divides by this scale.
  const at::Tensor inverseScale = at::scalar_tensor(1.0 / u.gradientScale, at::kFloat);
  const at::Tensor step = at::scalar_tensor(static_cast<double>(steps()), at::kFloat);
  const auto slab = [](const at::Tensor& t, int64_t first, int64_t count) {
    return t.view(-1).narrow(0, first, count);
  };
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t first, int64_t count) {
    at::_fused_adamw_({weight}, {slab(u.gradient, first, count)}, {slab(moment1_[u.slot], first, count)},
                      {slab(moment2_[u.slot], first, count)}, /*max_exp_avg_sqs=*/{}, {step}, u.learningRate,
                      options().beta1, options().beta2, u.weightDecay, options().eps, /*amsgrad=*/false,
                      /*maximize=*/false, inverseScale, /*found_inf=*/{});
  });
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() {
  auto all = named(".exp_avg", moment1_);
  for (auto& entry : named(".exp_avg_sq", moment2_)) all.push_back(std::move(entry));
  return all;
}

}  // namespace adaptive
