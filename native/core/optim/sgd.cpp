#include "core/optim/sgd.h"

#include <ATen/ATen.h>

#include "core/optim/float_slabs.h"

namespace adaptive {

Sgd::Sgd(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  if (options.momentum > 0) momentum_ = tensorsForSlots();
}

void Sgd::update(const Update& u) {
  const at::Tensor inverseScale = at::scalar_tensor(1.0 / u.gradientScale, u.gradient.options());
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t first, int64_t count) {
    std::vector<at::Tensor> momentum;
    if (!momentum_.empty()) momentum = {momentum_[u.slot].view(-1).narrow(0, first, count)};
    at::_fused_sgd_({weight}, {u.gradient.view(-1).narrow(0, first, count)}, momentum, u.weightDecay,
                    options().momentum, u.learningRate, options().dampening, options().nesterov,
                    /*maximize=*/false, /*is_first_step=*/steps() == 1, inverseScale, /*found_inf=*/{});
  });
}

std::vector<StateTensor> Sgd::statesOf(size_t slot) {
  if (momentum_.empty()) return {};
  return {{&momentum_[slot]}};
}

std::vector<std::pair<std::string, at::Tensor>> Sgd::namedState() {
  if (momentum_.empty()) return {};
  return named(".momentum_buffer", momentum_);
}

}  // namespace adaptive
