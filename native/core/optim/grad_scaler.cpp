#include "core/optim/grad_scaler.h"

#include <cmath>

#include "core/expect.h"

namespace adaptive {
namespace {

constexpr double kGrowth = 2, kBackoff = 0.5;
constexpr int64_t kGrowthInterval = 2000;

}  // namespace

GradScaler::GradScaler(const State& state) : state_(state) {
  expectPositive("lossScale", state.scale);
  expectInteger("goodSteps", state.goodSteps, 0, kGrowthInterval - 1);
}

bool GradScaler::update(double scaledNorm) {
  if (!std::isfinite(scaledNorm)) {
    state_.scale *= kBackoff;
    state_.goodSteps = 0;
    return false;
  }
  if (++state_.goodSteps == kGrowthInterval) {
    // A scale that float32 cannot hold stays as it was.
    if (std::isfinite(static_cast<float>(state_.scale * kGrowth))) state_.scale *= kGrowth;
    state_.goodSteps = 0;
  }
  return true;
}

}  // namespace adaptive
