#include "core/optim/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/expect.h"
#include "core/optim/adafactor.h"
#include "core/optim/adagrad.h"
#include "core/optim/adamw.h"
#include "core/optim/adamw_8bit.h"
#include "core/optim/ademamix.h"
#include "core/optim/float_slabs.h"
#include "core/optim/lion.h"
#include "core/optim/rmsprop.h"
#include "core/optim/sgd.h"

namespace adaptive {
namespace {

/// Spreads three numbers over 32 bits (the finaliser of splitmix64).
uint32_t noiseKey(uint64_t seed, uint64_t step, uint64_t slot) {
  uint64_t x = seed + 0x9e3779b97f4a7c15u * (step + 1) + 0xd1b54a32d192ed03u * (slot + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>((x ^ (x >> 31)) >> 32);
}

void checkOptions(const OptimizerOptions& options) {
  const auto expectBeta = [](const char* name, double beta) {
    expectThat("INVALID_INPUT", beta >= 0 && beta < 1, name, beta, "a number from 0 to less than 1");
  };
  expectBeta("beta1", options.beta1);
  expectBeta("beta2", options.beta2);
  expectNotNegative("eps", options.eps);
  expectNotNegative("weightDecay", options.weightDecay);
  expectNotNegative("momentum", options.momentum);
  const auto expectShare = [](const char* name, double share) {
    expectThat("INVALID_INPUT", share >= 0 && share <= 1, name, share, "a number from 0 to 1");
  };
  expectShare("dampening", options.dampening);
  if (options.nesterov && (options.momentum <= 0 || options.dampening > 0))
    fail("INVALID_INPUT", "Expected a momentum above 0 and no dampening with nesterov, found a momentum of ",
         options.momentum, " and a dampening of ", options.dampening, ".");
  expectNotNegative("lrDecay", options.lrDecay);
  expectShare("squaresDecay", options.squaresDecay);
  expectBeta("beta3", options.beta3);
  expectNotNegative("mixAlpha", options.mixAlpha);
  expectInteger("beta3Warmup", options.beta3Warmup, 0, int64_t{1} << 53);
  expectInteger("alphaWarmup", options.alphaWarmup, 0, int64_t{1} << 53);
  if (options.paging) checkPaging(*options.paging);
}

template <class T, class... Form>
std::unique_ptr<Optimizer> make(std::vector<Parameter*> parameters, const OptimizerOptions& options,
                                Form... form) {
  auto optimizer = std::make_unique<T>(std::move(parameters), options, form...);
  optimizer->placeState();
  return optimizer;
}

}  // namespace

Optimizer::Optimizer(std::vector<Parameter*> parameters, OptimizerOptions options) : options_(options) {
  for (Parameter* parameter : parameters) {
    for (const ParameterPart& part : parameter->parts())
      if (parameter->trains(part))
        slots_.push_back({parameter, &part, 1, !options_.holds || options_.holds(parameter)});
  }
}

void Optimizer::setRates(const std::vector<std::pair<std::string, double>>& multipliers) {
  for (Slot& slot : slots_) slot.rate = 1;
  for (const auto& [name, multiplier] : multipliers) {
    expectNotNegative("the multiplier of the learning rate of " + name, multiplier);
    const auto found = std::find_if(slots_.begin(), slots_.end(),
                                    [name = name](const Slot& slot) { return slot.part->name == name; });
    if (found == slots_.end())
      fail("INVALID_INPUT", "Expected the name of a tensor that is trained, found \"", name, "\".");
    found->rate = multiplier;
  }
}

void Optimizer::step(double learningRate, double gradientScale, double pull) {
  expectNotNegative("learningRate", learningRate);
  expectThat("INVALID_INPUT", pull >= 0 && pull <= 1, "pull", pull, "a number from 0 to 1");
  if (pull > 0 && !base_) fail("INVALID_INPUT", "Expected setBase() before a step that pulls to the base.");
  expectPositive("the scale of the gradients", gradientScale);
  expectFinite("learningRate times weightDecay", learningRate * options_.weightDecay);
  at::NoGradGuard noGrad;
  steps_++;
  std::vector<Update> updates;
  for (size_t i = 0; i < slots_.size(); i++) {
    const auto& [parameter, part, rate, isOwn] = slots_[i];
    const at::Tensor gradient = isOwn ? parameter->gradientOf(*part) : at::Tensor();
    if (!gradient.defined()) continue;
    updates.push_back({i, Parameter::rowsOf(parameter->master(), *part), gradient, learningRate * rate,
                       gradientScale, parameter->decays() ? options_.weightDecay : 0,
                       noiseKey(options_.seed, static_cast<uint64_t>(steps_), i)});
  }
  moveAll(updates);
  if (pull <= 0) return;
  for (size_t i = 0; i < slots_.size(); i++) {
    const auto& [parameter, part, rate, isOwn] = slots_[i];
    if (!isOwn) continue;
    base_->pull(*parameter, *part, std::min(1.0, pull * rate),
                noiseKey(options_.seed, static_cast<uint64_t>(steps_), slots_.size() + i));
  }
}

void Optimizer::updateAll(const std::vector<Update>& updates) {
  for (const Update& own : updates) update(own);
}

void Optimizer::forDecayedPieces(
    const Update& u,
    const std::function<void(const at::Tensor&, const at::Tensor&, int64_t, int64_t)>& move) {
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& slab, int64_t slabStart, int64_t whole) {
    forPieces(whole, [&](int64_t first, int64_t count) {
      const int64_t at = slabStart + first;
      const at::Tensor weight = slab.narrow(0, first, count);
      at::Tensor gradient = u.gradient.view(-1).narrow(0, at, count) * u.gradientScale;
      if (u.weightDecay > 0) gradient.add_(weight, u.weightDecay);
      move(weight, gradient, at, count);
    });
  });
}

AdamStep Optimizer::stepOf(const Update& update) const {
  return {options_.beta1,     options_.beta2,       options_.eps, update.learningRate,
          update.weightDecay, update.gradientScale, steps_};
}

void Optimizer::setSteps(int64_t steps) {
  expectInteger("steps", steps, 0, int64_t{1} << 53);
  steps_ = steps;
}

std::unique_ptr<Optimizer> makeOptimizer(const std::string& name, std::vector<Parameter*> parameters,
                                         OptimizerOptions options) {
  checkOptions(options);
  const bool movesInPieces =
      name.starts_with("adamw") || name.starts_with("lion") || name.starts_with("ademamix");
  if (options.paging && !movesInPieces)
    fail("INVALID_INPUT", "Expected paging with adamw, lion, ademamix or one of their 8-bit kinds, found ",
         name, ".");
  if (name == "adamw") return make<AdamW>(std::move(parameters), options);
  if (name == "adamw_8bit") return make<AdamW8bit>(std::move(parameters), options);
  if (name == "sgd") return make<Sgd>(std::move(parameters), options);
  if (name == "lion") return make<Lion>(std::move(parameters), options);
  if (name == "lion_8bit") return make<Lion>(std::move(parameters), options, true);
  if (name == "adafactor") return make<Adafactor>(std::move(parameters), options);
  if (name == "rmsprop") return make<Rmsprop>(std::move(parameters), options);
  if (name == "adagrad") return make<Adagrad>(std::move(parameters), options);
  if (name == "ademamix") return make<AdEmaMix>(std::move(parameters), options);
  if (name == "ademamix_8bit") return make<AdEmaMix>(std::move(parameters), options, true);
  fail("NOT_AVAILABLE",
       "Expected optimizer adamw, adamw_8bit, sgd, lion, lion_8bit, adafactor, rmsprop, adagrad, ademamix or "
       "ademamix_8bit, found \"",
       name, "\".");
}

}  // namespace adaptive
