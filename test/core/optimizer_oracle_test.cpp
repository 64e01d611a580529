// Every optimizer against fifty steps of PyTorch's or transformers' own code
// (scripts/oracles/optimizers.py), the arithmetic 8-bit code against its table, and stochastic rounding.
#include <fstream>

#include "check.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/ops.h"
#include "core/optim/dynamic_code.h"
#include "core/optim/optimizer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

/// Numbers of a fixture, handed out tensor by tensor.
class Numbers {
 public:
  explicit Numbers(const std::string& name) : file_("test/fixtures/extra/optimizers/" + name + ".txt") {
    check(file_.is_open(), "fixture " + name + ".txt, with the repository as working directory");
  }
  Tensor next(at::IntArrayRef shape) {
    Tensor out = at::empty(shape, at::kFloat);
    for (int64_t i = 0; i < out.numel(); i++) file_ >> out.data_ptr<float>()[i];
    check(!file_.fail(), "as many numbers as the fixture should have");
    return out;
  }

 private:
  std::ifstream file_;
};

void fill(Parameter& parameter, Numbers& numbers) {
  for (const auto& part : parameter.parts())
    Tensor(Parameter::rowsOf(parameter.master(), part)).copy_(numbers.next(part.shape));
}

void checkAgainstOracle(const std::string& name, const std::string& fixture, OptimizerOptions options) {
  Parameter matrix({{"q", {5, 12}}, {"k", {3, 12}}}, false), bias({{"bias", {7}}}, false);
  Numbers run("run"), expected(fixture);
  fill(matrix, run), fill(bias, run);
  const auto optimizer = makeOptimizer(name, {&matrix, &bias}, options);
  for (int step = 0; step < 50; step++) {
    for (Parameter* parameter : {&matrix, &bias}) {
      Tensor gradient = parameter->gradientToAddTo();
      for (const auto& part : parameter->parts())
        Tensor(Parameter::rowsOf(gradient, part)).copy_(run.next(part.shape));
    }
    optimizer->step(0.02 / (1 + step), step % 2 ? 0.25 : 1.0);
    for (Parameter* parameter : {&matrix, &bias}) parameter->clearGradient();
    if (step != 0 && step != 9 && step != 19 && step != 49) continue;
    for (const Parameter* parameter : {&matrix, &bias}) {
      for (const auto& part : parameter->parts())
        checkClose(Parameter::rowsOf(parameter->master(), part), expected.next(part.shape), 2e-6,
                   c10::str(fixture, ": ", part.name, " after step ", step + 1));
    }
  }
}

const OptimizerOptions kOptions = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weightDecay = 0.1};

Tensor gradientOf(int step) { return normal({96, 64}, 100 + step).to(at::kFloat); }

/// The weights after some steps from the same start, with float32 or bfloat16 masters.
Tensor trained(const std::string& name, at::ScalarType type, int steps, uint64_t seed) {
  Parameter p({{"a", {64, 64}}, {"b", {32, 64}}}, false);
  Tensor(p.master()).copy_(normal({96, 64}, 3));
  p.setMasterType(type, true);
  OptimizerOptions options = kOptions;
  options.seed = seed;
  const auto optimizer = makeOptimizer(name, {&p}, options);
  for (int step = 0; step < steps; step++) {
    p.clearGradient();
    p.accumulate(gradientOf(step));
    optimizer->step(1e-4, 1);
  }
  return p.master().clone();
}

}  // namespace

TEST("oracle: adamw") { checkAgainstOracle("adamw", "adamw", kOptions); }
TEST("oracle: adamw 8-bit keeps small tensors in float32") {
  checkAgainstOracle("adamw_8bit", "adamw", kOptions);
}
TEST("oracle: sgd") { checkAgainstOracle("sgd", "sgd", kOptions); }
TEST("oracle: sgd with momentum") {
  OptimizerOptions options = kOptions;
  options.momentum = 0.9;
  checkAgainstOracle("sgd", "sgd_momentum", options);
}
TEST("oracle: sgd with dampening, which the first step is spared") {
  OptimizerOptions options = kOptions;
  options.momentum = 0.9;
  options.dampening = 0.25;
  checkAgainstOracle("sgd", "sgd_dampened", options);
}
TEST("oracle: sgd with Nesterov's momentum") {
  OptimizerOptions options = kOptions;
  options.momentum = 0.9;
  options.nesterov = true;
  checkAgainstOracle("sgd", "sgd_nesterov", options);
}
TEST("oracle: lion") { checkAgainstOracle("lion", "lion", kOptions); }
TEST("oracle: lion 8-bit keeps small tensors in float32") {
  checkAgainstOracle("lion_8bit", "lion", kOptions);
}
TEST("oracle: rmsprop") { checkAgainstOracle("rmsprop", "rmsprop", kOptions); }
TEST("oracle: rmsprop with momentum") {
  OptimizerOptions options = kOptions;
  options.momentum = 0.9;
  checkAgainstOracle("rmsprop", "rmsprop_momentum", options);
}
TEST("oracle: rmsprop, centred, with an α and an ε of its own") {
  OptimizerOptions options = kOptions;
  options.momentum = 0.5;
  options.squaresDecay = 0.9;
  options.eps = 1e-3;
  options.centered = true;
  checkAgainstOracle("rmsprop", "rmsprop_centered", options);
}
TEST("rmsprop, centred: a gradient that does not change leaves no NaN") {
  Parameter p({{"a", {1, 64}}}, false);
  Tensor(p.master()).fill_(0);
  const auto optimizer = makeOptimizer("rmsprop", {&p}, {.centered = true});
  for (int step = 0; step < 3000; step++) {
    p.clearGradient();
    p.accumulate(at::full({1, 64}, 0.3, at::kFloat));
    optimizer->step(1e-9, 1);
  }
  check(p.master().isfinite().all().item<bool>(), "finite weights");
}
TEST("oracle: adagrad") {
  OptimizerOptions options = kOptions;
  options.eps = 1e-10;
  checkAgainstOracle("adagrad", "adagrad", options);
}
TEST("oracle: adagrad with a decay of the rate") {
  OptimizerOptions options = kOptions;
  options.eps = 1e-3;
  options.lrDecay = 0.1;
  checkAgainstOracle("adagrad", "adagrad_decay", options);
}
TEST("oracle: ademamix, and in 8 bits with small tensors in float32") {
  checkAgainstOracle("ademamix", "ademamix", kOptions);
  checkAgainstOracle("ademamix_8bit", "ademamix", kOptions);
}
TEST("oracle: ademamix with a warm-up of its slow mean") {
  OptimizerOptions options = kOptions;
  options.beta3Warmup = options.alphaWarmup = 30;
  checkAgainstOracle("ademamix", "ademamix_warmup", options);
}
TEST("oracle: ademamix with a warm-up of each kind") {
  OptimizerOptions options = kOptions;
  options.alphaWarmup = 12;
  options.beta3Warmup = 40;
  checkAgainstOracle("ademamix", "ademamix_two_warmups", options);
}
TEST("oracle: adafactor, its moments per Hugging Face tensor") {
  checkAgainstOracle("adafactor", "adafactor", kOptions);
}

TEST("8-bit code: the vector kernel quantises to the nearest value of the table") {
  // With beta1 = beta2 = 0 the moments of a step are its gradients and their squares.
  const AdamRates rates = {0, 0, 0, 1, 1, 1};
  for (const uint64_t seed : {1, 2, 3, 4}) {
    // Magnitudes over ten decades, one of them 1, so that the scale is 1.
    Tensor g = normal({256}, seed).sign() * at::pow(10.0, -10 * normal({256}, seed + 50).abs().fmod(1.0));
    g[17] = seed % 2 ? 1.0 : -1.0;
    const Tensor gradient = g.to(at::kFloat), weight = at::zeros({256}, at::kFloat);
    std::vector<uint8_t> codes1(256, 127), codes2(256, 0);
    float scale1 = 0, scale2 = 0;
    const int64_t count = seed == 4 ? 203 : 256;  // a block that is not full
    cpu::optimizerKernels().adam8bitBlock(weight.data_ptr<float>(), gradient.const_data_ptr<float>(),
                                          codes1.data(), &scale1, codes2.data(), &scale2, count, rates);
    check(scale1 == 1 && scale2 == 1, "scales of 1");
    for (int64_t i = 0; i < count; i++) {
      const float x = gradient.const_data_ptr<float>()[i];
      const auto isNearest = [](const DynamicCode& code, uint8_t found, float value) {
        const float best = std::abs(code.value(code.nearest(value)) - value);
        return std::abs(code.value(found) - value) <= best + 2e-6f * std::abs(value);
      };
      check(isNearest(DynamicCode::withSign(), codes1[i], x), c10::str("the nearest code of ", x));
      check(isNearest(DynamicCode::withoutSign(), codes2[i], x * x), c10::str("the nearest code of ", x * x));
    }
  }
}

TEST("8-bit code: every code comes back as itself") {
  // beta = 1 keeps the moments: unpacked and packed again.
  const AdamRates rates = {1, 1, 0, 1, 1, 1};
  std::vector<uint8_t> codes1(256), codes2(256);
  for (int i = 0; i < 256; i++) codes1[i] = codes2[i] = static_cast<uint8_t>(i);
  std::vector<float> weight(256), gradient(256);
  float scale1 = 3.7e-5f, scale2 = 8.1e-9f;
  cpu::optimizerKernels().adam8bitBlock(weight.data(), gradient.data(), codes1.data(), &scale1, codes2.data(),
                                        &scale2, 256, rates);
  for (int i = 0; i < 256; i++) {
    check(codes1[i] == i, c10::str("signed code ", i, ", found ", int(codes1[i])));
    check(codes2[i] == i, c10::str("unsigned code ", i, ", found ", int(codes2[i])));
  }
}

TEST("stochastic rounding: exact in the mean, one of the two neighbours, the same by key") {
  const double value = 1.0 + 0.3 / 128;  // bfloat16 has steps of 1/128 there
  const Tensor from = at::full({200000}, value, at::kFloat);
  Tensor to = at::empty({200000}, at::kBFloat16), again = at::empty({200000}, at::kBFloat16);
  ops::roundStochastically_(to, from, 42, 0);
  ops::roundStochastically_(again.narrow(0, 0, 70001), from.narrow(0, 0, 70001), 42, 0);
  ops::roundStochastically_(again.narrow(0, 70001, 129999), from.narrow(0, 70001, 129999), 42, 70001);
  checkSame(again, to, "noise that depends on the index alone");
  const Tensor rounded = to.to(at::kDouble);
  checkNear(rounded.mean().item<double>(), value, 5e-5, "mean");
  check((rounded.eq(1.0) | rounded.eq(1.0 + 1.0 / 128)).all().item<bool>(), "the neighbours alone");
  const Tensor special = at::tensor({INFINITY, -INFINITY, 0.f, 1.5f, -2.f}, at::kFloat);
  Tensor out = at::empty({5}, at::kBFloat16);
  ops::roundStochastically_(out, special, 7, 0);
  checkSame(out.to(at::kFloat), special, "values that bfloat16 has");
}

TEST("bfloat16 masters: every optimizer follows its float32 run within rounding noise, by seed") {
  for (const std::string name : {"adamw", "adamw_8bit", "sgd", "lion", "lion_8bit", "adafactor", "rmsprop",
                                 "adagrad", "ademamix", "ademamix_8bit"}) {
    const Tensor exact = trained(name, at::kFloat, 40, 1), rounded = trained(name, at::kBFloat16, 40, 1);
    check(rounded.scalar_type() == at::kBFloat16, "bfloat16 masters");
    // The steps are far below half of a bfloat16 step: rounding to nearest would not move at all.
    const double bias = (rounded.to(at::kFloat) - exact).mean().item<double>();
    check(std::abs(bias) < 3e-4, c10::str(name, ": no drift, found ", bias));
    checkSame(trained(name, at::kBFloat16, 40, 1), rounded, name + " with the same seed");
    check(!trained(name, at::kBFloat16, 40, 2).equal(rounded), "another seed, other noise");
  }
}
