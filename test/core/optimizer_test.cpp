// AdamW and AdamW8bit against the plain formulas; clipping; the state that a restart needs.
#include "core/optim/optimizer.h"

#include "check.h"
#include "core/optim/dynamic_code.h"
#include "core/optim/gradient_norm.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

const OptimizerOptions kOptions = {.beta1 = 0.85, .beta2 = 0.97, .eps = 1e-2, .weightDecay = 0.1};

std::unique_ptr<Parameter> parameter(std::vector<ParameterPart> parts, uint64_t seed, bool isNorm = false) {
  auto p = std::make_unique<Parameter>(std::move(parts), isNorm);
  Tensor master = p->master();
  master.copy_(normal(master.sizes(), seed));
  return p;
}

/// AdamW as Loshchilov & Hutter write it, in float64 and element by element.
struct Formula {
  Tensor weight, m, v;
  double decay;
  explicit Formula(const Parameter& p)
      : weight(p.master().to(at::kDouble).clone()),
        m(at::zeros_like(weight)),
        v(at::zeros_like(weight)),
        decay(p.master().dim() > 1 ? kOptions.weightDecay : 0) {}
  void step(const Tensor& gradient, double rate, double scale, int t) {
    const Tensor g = gradient.to(at::kDouble) * scale;
    m = kOptions.beta1 * m + (1 - kOptions.beta1) * g;
    v = kOptions.beta2 * v + (1 - kOptions.beta2) * g * g;
    const Tensor mHat = m / (1 - std::pow(kOptions.beta1, t)), vHat = v / (1 - std::pow(kOptions.beta2, t));
    weight = weight * (1 - rate * decay) - rate * mHat / (vHat.sqrt() + kOptions.eps);
  }
};

void checkFollowsFormula(const std::string& name) {
  const auto matrix = parameter({{"q", {5, 12}}, {"k", {3, 12}}}, 1), bias = parameter({{"bias", {7}}}, 2),
             norm = parameter({{"norm", {9}}}, 3, true);
  const auto still = parameter({{"still", {4, 4}}}, 4);
  const Tensor stillBefore = still->master().clone();
  const auto optimizer = makeOptimizer(name, {matrix.get(), bias.get(), norm.get(), still.get()}, kOptions);
  std::vector<Parameter*> moved = {matrix.get(), bias.get(), norm.get()};
  std::vector<Formula> expected;
  for (const Parameter* p : moved) expected.emplace_back(*p);
  for (int t = 1; t <= 20; t++) {
    const double rate = 0.02 / t, scale = t % 3 == 0 ? 0.25 : 1;
    for (size_t i = 0; i < moved.size(); i++) {
      const Tensor gradient = (normal(moved[i]->master().sizes(), 10 * t + i) * 3).to(at::kFloat);
      moved[i]->clearGradient();
      moved[i]->accumulate(gradient);
      expected[i].step(gradient, rate, scale, t);
    }
    optimizer->step(rate, scale);
    for (size_t i = 0; i < moved.size(); i++)
      checkClose(moved[i]->master(), expected[i].weight, 2e-6,
                 c10::str(name, ": weight ", i, " after step ", t));
  }
  checkSame(still->master(), stillBefore, "weight without a gradient");
  check(optimizer->steps() == 20, "20 steps counted");
}

double lossOn(Optimizer& optimizer, Parameter& p, const Tensor& target, int steps) {
  for (int t = 0; t < steps; t++) {
    p.clearGradient();
    p.accumulate(2 * (p.master() - target));
    optimizer.step(0.02, 1);
  }
  return (p.master() - target).square().mean().item<double>();
}

uint8_t nearestBySearch(const DynamicCode& code, float x) {
  int best = 0;
  for (int c = 1; c < 256; c++)
    if (std::abs(x - code.value(static_cast<uint8_t>(c))) <
        std::abs(x - code.value(static_cast<uint8_t>(best))))
      best = c;
  return static_cast<uint8_t>(best);
}

/// A moment as it comes back from 8 bits, block by block of `width` values.
void quantise(std::vector<float>& values, const DynamicCode& code, size_t width) {
  for (size_t first = 0; first < values.size(); first += width) {
    const size_t end = std::min(values.size(), first + width);
    float largest = 0;
    for (size_t i = first; i < end; i++) largest = std::max(largest, std::abs(values[i]));
    for (size_t i = first; i < end; i++)
      values[i] = largest > 0 ? code.value(nearestBySearch(code, values[i] / largest)) * largest : 0;
  }
}

}  // namespace

TEST("adamw: the plain formula, decay on matrices alone") { checkFollowsFormula("adamw"); }

TEST("adamw 8-bit: small tensors follow the plain formula") { checkFollowsFormula("adamw_8bit"); }

TEST("adamw 8-bit: blocks of 256 values, quantised after each step") {
  // 3 × 1,600 and 1 × 4,700 values: blocks that cross rows, a last block that is not full, two tensors in one
  // parameter.
  const auto p = parameter({{"a", {3, 1600}}, {"b", {3, 1600}}}, 5);
  const auto optimizer = makeOptimizer("adamw_8bit", {p.get()}, {.weightDecay = 0});
  const size_t count = 3 * 1600;
  std::vector<std::vector<float>> w(2), m(2, std::vector<float>(count, 0.f)), v = m;
  for (int part = 0; part < 2; part++) {
    const Tensor rows = Parameter::rowsOf(p->master(), p->parts()[part]).contiguous();
    w[part].assign(rows.const_data_ptr<float>(), rows.const_data_ptr<float>() + count);
  }
  for (int t = 1; t <= 4; t++) {
    const Tensor gradient = normal({6, 1600}, 50 + t).to(at::kFloat);
    p->clearGradient();
    p->accumulate(gradient);
    optimizer->step(0.01, 0.5);
    for (int part = 0; part < 2; part++) {
      const float* g = gradient.const_data_ptr<float>() + part * count;
      for (size_t i = 0; i < count; i++) {
        const float scaled = 0.5f * g[i];
        m[part][i] = 0.9f * m[part][i] + 0.1f * scaled;
        v[part][i] = 0.999f * v[part][i] + 0.001f * scaled * scaled;
        w[part][i] -= static_cast<float>(0.01 * (m[part][i] / (1 - std::pow(0.9, t))) /
                                         (std::sqrt(v[part][i] / (1 - std::pow(0.999, t))) + 1e-8));
      }
      quantise(m[part], DynamicCode::withSign(), 256);
      quantise(v[part], DynamicCode::withoutSign(), 256);
      const Tensor expected = at::tensor(w[part], at::kFloat).view({3, 1600});
      const Tensor actual = Parameter::rowsOf(p->master(), p->parts()[part]);
      // Now and then a value falls on the other side of a midpoint by the rounding of a product, and a whole
      // step apart.
      const double apart = (actual - expected).abs().gt(1e-5).to(at::kDouble).mean().item<double>();
      check(apart < 0.002,
            c10::str("the emulated weights after step ", t, "; ", 100 * apart, " % of them differ"));
    }
  }
}

TEST("adamw 8-bit: a second moment never becomes a division by zero") {
  // One huge gradient makes the others of its block round to the code 0.
  const auto p = parameter({{"w", {64, 64}}}, 6);
  const Tensor before = p->master().clone();
  const auto optimizer = makeOptimizer("adamw_8bit", {p.get()}, {});
  for (int t = 0; t < 3; t++) {
    Tensor gradient = at::full({64, 64}, 1e-9f);
    gradient[0][0] = 1e4;
    gradient.narrow(0, 32, 32).zero_();
    p->clearGradient();
    p->accumulate(gradient);
    optimizer->step(0.01, 1);
  }
  check(p->master().isfinite().all().item<bool>(), "finite weights");
  checkSame(p->master().narrow(0, 32, 32), before.narrow(0, 32, 32), "weights whose gradient is zero");
}

TEST("adamw 8-bit: keeps up with AdamW on a toy problem") {
  const Tensor target = normal({80, 100}, 7).to(at::kFloat);
  const auto p32 = parameter({{"w", {80, 100}}}, 8), p8 = parameter({{"w", {80, 100}}}, 8);
  const auto whole = makeOptimizer("adamw", {p32.get()}, {}),
             eight = makeOptimizer("adamw_8bit", {p8.get()}, {});
  const double start = (p8->master() - target).square().mean().item<double>();
  for (int round = 0; round < 5; round++) {
    const double exact = lossOn(*whole, *p32, target, 30), coarse = lossOn(*eight, *p8, target, 30);
    check(coarse < start, "the loss to fall");
    check(coarse < exact + 0.05 * start, c10::str("a loss near AdamW's ", exact, ", found ", coarse));
  }
}

TEST("8-bit moments: lion and ademamix, quantised block by block after each step") {
  // Blocks of 256 values that cross rows, and a last one that is not full.
  constexpr size_t kCount = 3 * 1601;
  const OptimizerOptions options = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weightDecay = 0.1};
  for (const std::string name : {"lion_8bit", "ademamix_8bit"}) {
    const auto p = parameter({{"a", {3, 1601}}}, 5);
    const auto optimizer = makeOptimizer(name, {p.get()}, options);
    const float* start = p->master().const_data_ptr<float>();
    std::vector<float> w(start, start + kCount), m(kCount), slow(kCount), squares(kCount);
    for (int t = 1; t <= 4; t++) {
      const Tensor gradient = normal({3, 1601}, 70 + t).to(at::kFloat);
      p->clearGradient();
      p->accumulate(gradient);
      optimizer->step(0.01, 0.5);
      const float* g = gradient.const_data_ptr<float>();
      for (size_t i = 0; i < kCount; i++) {
        const double scaled = 0.5 * g[i];
        double direction;
        if (name == "lion_8bit") {
          const double sum = 0.9 * m[i] + 0.1 * scaled;
          direction = static_cast<double>(sum > 0) - static_cast<double>(sum < 0);
          m[i] = static_cast<float>(0.99 * m[i] + 0.01 * scaled);
        } else {
          m[i] = static_cast<float>(0.9 * m[i] + 0.1 * scaled);
          slow[i] = static_cast<float>(0.9999 * slow[i] + 0.0001 * scaled);
          squares[i] = static_cast<float>(0.99 * squares[i] + 0.01 * scaled * scaled);
          direction = (m[i] / (1 - std::pow(0.9, t)) + 5 * slow[i]) /
                      (std::sqrt(squares[i] / (1 - std::pow(0.99, t))) + 1e-8);
        }
        w[i] = static_cast<float>(w[i] * (1 - 0.01 * 0.1) - 0.01 * direction);
      }
      quantise(m, DynamicCode::withSign(), 256);
      quantise(slow, DynamicCode::withSign(), 256);
      quantise(squares, DynamicCode::withoutSign(), 256);
      const Tensor expected = at::tensor(w, at::kFloat).view({3, 1601});
      // Now and then a value falls on the other side of a midpoint, or of 0, by the rounding of a product.
      const double apart = (p->master() - expected).abs().gt(1e-5).to(at::kDouble).mean().item<double>();
      check(apart < 0.002,
            c10::str(name, ": the emulated weights after step ", t, "; ", 100 * apart, " % of them differ"));
    }
  }
}

TEST("optimizers: state() shares memory, and restores a run") {
  OptimizerOptions sgd = kOptions, centered = kOptions;
  sgd.momentum = 0.9;
  sgd.dampening = 0.25;
  centered.momentum = 0.5;
  centered.centered = true;
  std::vector<std::pair<std::string, OptimizerOptions>> cases = {{"sgd", sgd}, {"rmsprop", centered}};
  for (const char* name : {"adamw", "adamw_8bit", "lion", "lion_8bit", "adafactor", "rmsprop", "adagrad",
                           "ademamix", "ademamix_8bit"})
    cases.emplace_back(name, kOptions);
  for (const auto& [name, options] : cases) {
    const auto run = [&, name = name, options = options](bool restart) {
      const auto p = parameter({{"a", {70, 64}}, {"b", {2, 64}}}, 9);
      auto optimizer = makeOptimizer(name, {p.get()}, options);
      for (int t = 0; t < 6; t++) {
        if (t == 3 && restart) {
          auto fresh = makeOptimizer(name, {p.get()}, options);
          const auto from = optimizer->state(), to = fresh->state();
          check(from.size() == to.size() && !from.empty(), "the same state in a new optimizer");
          for (size_t i = 0; i < from.size(); i++) {
            check(from[i].first == to[i].first, "the same names");
            Tensor(to[i].second).copy_(from[i].second);
          }
          fresh->setSteps(optimizer->steps());
          optimizer = std::move(fresh);
        }
        p->clearGradient();
        p->accumulate(normal({72, 64}, 60 + t).to(at::kFloat));
        optimizer->step(0.01, 1);
      }
      return p->master().clone();
    };
    checkSame(run(true), run(false), "weights of " + name + " after a restart");
  }
}

TEST("optimizers: an unknown name") {
  checkFails("NOT_AVAILABLE", "adamw", [] { makeOptimizer("lionel", {}, {}); });
}

TEST("gradient norm and clipping are those of torch.nn.utils") {
  const auto a = parameter({{"a", {6, 5}}}, 1), b = parameter({{"b", {4}}}, 2),
             none = parameter({{"none", {3}}}, 3);
  a->accumulate(normal({6, 5}, 4).to(at::kFloat)), b->accumulate(normal({4}, 5).to(at::kFloat));
  const double expected =
      std::sqrt((a->gradient().square().sum() + b->gradient().square().sum()).item<double>());
  checkNear(totalNorm(gradientNorms({a.get(), b.get(), none.get()})), expected, 1e-6 * expected, "norm");
  check(totalNorm(gradientNorms({none.get()})) == 0, "a norm of 0 without gradients");
  checkNear(clippingScale(4, 1), 1 / (4 + 1e-6), 1e-12, "scale");
  check(clippingScale(0.5, 1) == 1 && clippingScale(50, 0) == 1,
        "no clipping below the bound, and none with bound 0");
}
