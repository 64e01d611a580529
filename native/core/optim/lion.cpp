#include "core/optim/lion.h"

#include "core/ops/ops.h"
#include "core/optim/float_slabs.h"

namespace adaptive {

Lion::Lion(std::vector<Parameter*> parameters, OptimizerOptions options, bool inEightBits)
    : Optimizer(std::move(parameters), options), moment_(momentsForSlots(inEightBits, /*isSigned=*/true)) {}

void Lion::update(const Update& u) {
  const LionRates rates = {static_cast<float>(options().beta1), static_cast<float>(options().beta2),
                           static_cast<float>(u.learningRate),
                           static_cast<float>(1 - u.learningRate * u.weightDecay),
                           static_cast<float>(u.gradientScale)};
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t slab, int64_t whole) {
    forPieces(whole, [&](int64_t first, int64_t count) {
      const at::Tensor moment = moment_[u.slot].values(slab + first, count);
      ops::lion_(weight.narrow(0, first, count), u.gradient.view(-1).narrow(0, slab + first, count), moment,
                 rates);
      moment_[u.slot].keep(moment, slab + first);
    });
  });
}

std::vector<StateTensor> Lion::statesOf(size_t slot) { return moment_[slot].tensors(); }

std::vector<std::pair<std::string, at::Tensor>> Lion::namedState() { return named({{".exp_avg", &moment_}}); }

}  // namespace adaptive
