#include "core/optim/rmsprop.h"

#include <ATen/ATen.h>

namespace adaptive {
Rmsprop::Rmsprop(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), squares_(momentsForSlots(false, false)) {
  if (options.momentum > 0) momentum_ = momentsForSlots(false, true);
  if (options.centered) means_ = momentsForSlots(false, true);
}

void Rmsprop::update(const Update& u) {
  const double alpha = options().squaresDecay;
  forDecayedPieces(u, [&](const at::Tensor& weight, const at::Tensor& g, int64_t first, int64_t count) {
    const at::Tensor squares = squares_[u.slot].values(first, count);
    squares.mul_(alpha).addcmul_(g, g, 1 - alpha);
    at::Tensor variance = squares;
    if (!means_.empty()) {
      const at::Tensor means = means_[u.slot].values(first, count);
      means.lerp_(g, 1 - alpha);
      // Rounding leaves less than nothing of a gradient that does not change; PyTorch's weights are NaN
      // there.
      variance = squares.addcmul(means, means, -1).clamp_min_(0);
    }
    const at::Tensor divisor = variance.sqrt().add_(options().eps);
    if (momentum_.empty()) {
      weight.addcdiv_(g, divisor, -u.learningRate);
    } else {
      const at::Tensor momentum = momentum_[u.slot].values(first, count);
      momentum.mul_(options().momentum).addcdiv_(g, divisor);
      weight.sub_(momentum, u.learningRate);
    }
  });
}

std::vector<StateTensor> Rmsprop::statesOf(size_t slot) {
  std::vector<StateTensor> all;
  for (auto* moments : {&squares_, &momentum_, &means_}) {
    if (moments->empty()) continue;
    for (const StateTensor& state : (*moments)[slot].tensors()) all.push_back(state);
  }
  return all;
}

std::vector<std::pair<std::string, at::Tensor>> Rmsprop::namedState() {
  std::vector<std::pair<const char*, const std::vector<StoredMoment>*>> moments = {
      {".square_avg", &squares_}};
  if (!momentum_.empty()) moments.emplace_back(".momentum_buffer", &momentum_);
  if (!means_.empty()) moments.emplace_back(".grad_avg", &means_);
  return named(moments);
}

}  // namespace adaptive
