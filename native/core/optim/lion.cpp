#include "core/optim/lion.h"

#include "core/ops/ops.h"
#include "core/optim/float_slabs.h"

namespace adaptive {

Lion::Lion(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), moment_(zerosForSlots()) {}

void Lion::update(const Update& u) {
  const LionRates rates = {static_cast<float>(options().beta1), static_cast<float>(options().beta2),
                           static_cast<float>(u.learningRate),
                           static_cast<float>(1 - u.learningRate * u.weightDecay),
                           static_cast<float>(u.gradientScale)};
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t first, int64_t count) {
    ops::lion_(weight, u.gradient.view(-1).narrow(0, first, count),
               moment_[u.slot].view(-1).narrow(0, first, count), rates);
  });
}

std::vector<std::pair<std::string, at::Tensor>> Lion::state() { return named(".exp_avg", moment_); }

}  // namespace adaptive
