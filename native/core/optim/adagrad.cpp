#include "core/optim/adagrad.h"

#include <ATen/ATen.h>

#include "core/optim/float_slabs.h"

namespace adaptive {
namespace {

constexpr double kEps = 1e-10;

}  // namespace

Adagrad::Adagrad(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), sums_(momentsForSlots(false, false)) {}

void Adagrad::update(const Update& u) {
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& slab, int64_t slabStart, int64_t whole) {
    forPieces(whole, [&](int64_t first, int64_t count) {
      const int64_t at = slabStart + first;
      const at::Tensor weight = slab.narrow(0, first, count);
      at::Tensor g = u.gradient.view(-1).narrow(0, at, count) * u.gradientScale;
      if (u.weightDecay > 0) g.add_(weight, u.weightDecay);
      const at::Tensor sums = sums_[u.slot].values(at, count);
      sums.addcmul_(g, g);
      weight.addcdiv_(g, sums.sqrt().add_(kEps), -u.learningRate);
    });
  });
}

std::vector<std::pair<std::string, at::Tensor>> Adagrad::state() { return named({{".sum", &sums_}}); }

}  // namespace adaptive
