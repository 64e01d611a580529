#include "core/optim/adagrad.h"

#include <ATen/ATen.h>

namespace adaptive {
Adagrad::Adagrad(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), sums_(momentsForSlots(false, false)) {}

void Adagrad::update(const Update& u) {
  const double rate = u.learningRate / (1 + static_cast<double>(steps() - 1) * options().lrDecay);
  forDecayedPieces(u, [&](const at::Tensor& weight, const at::Tensor& g, int64_t first, int64_t count) {
    const at::Tensor sums = sums_[u.slot].values(first, count);
    sums.addcmul_(g, g);
    weight.addcdiv_(g, sums.sqrt().add_(options().eps), -rate);
  });
}

std::vector<StateTensor> Adagrad::statesOf(size_t slot) { return sums_[slot].tensors(); }

std::vector<std::pair<std::string, at::Tensor>> Adagrad::namedState() { return named({{".sum", &sums_}}); }

}  // namespace adaptive
