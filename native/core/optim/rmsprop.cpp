#include "core/optim/rmsprop.h"

#include <ATen/ATen.h>

namespace adaptive {
namespace {

constexpr double kAlpha = 0.99, kEps = 1e-8;

}  // namespace

Rmsprop::Rmsprop(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), squares_(momentsForSlots(false, false)) {
  if (options.momentum > 0) momentum_ = momentsForSlots(false, true);
}

void Rmsprop::update(const Update& u) {
  forDecayedPieces(u, [&](const at::Tensor& weight, const at::Tensor& g, int64_t first, int64_t count) {
    const at::Tensor squares = squares_[u.slot].values(first, count);
    squares.mul_(kAlpha).addcmul_(g, g, 1 - kAlpha);
    const at::Tensor divisor = squares.sqrt().add_(kEps);
    if (momentum_.empty()) {
      weight.addcdiv_(g, divisor, -u.learningRate);
    } else {
      const at::Tensor momentum = momentum_[u.slot].values(first, count);
      momentum.mul_(options().momentum).addcdiv_(g, divisor);
      weight.sub_(momentum, u.learningRate);
    }
  });
}

std::vector<std::pair<std::string, at::Tensor>> Rmsprop::state() {
  if (momentum_.empty()) return named({{".square_avg", &squares_}});
  return named({{".square_avg", &squares_}, {".momentum_buffer", &momentum_}});
}

}  // namespace adaptive
