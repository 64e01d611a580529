#include "core/optim/ademamix.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/optim/float_slabs.h"

namespace adaptive {
namespace {

/// β₃ at a share of its warm-up: the half-life of the mean grows evenly.
double warmedBeta3(double beta1, double beta3, double share) {
  if (share >= 1 || beta1 <= 0 || beta3 <= 0) return beta3;
  const double log1 = std::log(beta1), log3 = std::log(beta3);
  return std::min(beta3, std::exp(log1 * log3 / ((1 - share) * log3 + share * log1)));
}

}  // namespace

AdEmaMix::AdEmaMix(std::vector<Parameter*> parameters, OptimizerOptions options, bool inEightBits)
    : Optimizer(std::move(parameters), options),
      fast_(momentsForSlots(inEightBits, true)),
      slow_(momentsForSlots(inEightBits, true)),
      squares_(momentsForSlots(inEightBits, false)) {}

void AdEmaMix::update(const Update& u) {
  const double beta1 = options().beta1, beta2 = options().beta2;
  const auto step = static_cast<double>(steps());
  const auto shareOf = [step](int64_t warmup) {
    return warmup > 0 ? std::min(1.0, step / static_cast<double>(warmup)) : 1;
  };
  const double slowDecay = warmedBeta3(beta1, options().beta3, shareOf(options().beta3Warmup));
  const double mix = options().mixAlpha * shareOf(options().alphaWarmup);
  const double correction1 = 1 - std::pow(beta1, step), root2 = std::sqrt(1 - std::pow(beta2, step));
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& slab, int64_t slabStart, int64_t whole) {
    forPieces(whole, [&](int64_t first, int64_t count) {
      const int64_t at = slabStart + first;
      const at::Tensor weight = slab.narrow(0, first, count);
      const at::Tensor g = u.gradient.view(-1).narrow(0, at, count) * u.gradientScale;
      const at::Tensor fast = fast_[u.slot].values(at, count), slow = slow_[u.slot].values(at, count),
                       squares = squares_[u.slot].values(at, count);
      fast.mul_(beta1).add_(g, 1 - beta1);
      slow.mul_(slowDecay).add_(g, 1 - slowDecay);
      squares.mul_(beta2).addcmul_(g, g, 1 - beta2);
      const at::Tensor direction = (fast / correction1).add_(slow, mix);
      weight.mul_(1 - u.learningRate * u.weightDecay);
      weight.addcdiv_(direction, squares.sqrt().div_(root2).add_(options().eps), -u.learningRate);
      fast_[u.slot].keep(fast, at);
      slow_[u.slot].keep(slow, at);
      squares_[u.slot].keep(squares, at);
    });
  });
}

std::vector<StateTensor> AdEmaMix::statesOf(size_t slot) {
  std::vector<StateTensor> all;
  for (auto* moments : {&fast_, &slow_, &squares_})
    for (const StateTensor& state : (*moments)[slot].tensors()) all.push_back(state);
  return all;
}

std::vector<std::pair<std::string, at::Tensor>> AdEmaMix::namedState() {
  return named({{".exp_avg", &fast_}, {".exp_avg_slow", &slow_}, {".exp_avg_sq", &squares_}});
}

}  // namespace adaptive
