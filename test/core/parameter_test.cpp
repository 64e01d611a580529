// Parameters of which some parts are frozen: gradients and optimizer state for the others alone.
#include "core/model/parameter.h"

#include "check.h"
#include "core/optim/optimizer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

Parameter projection(const std::vector<std::string>& frozen) {
  Parameter p({{"q", {4, 6}}, {"k", {2, 6}}, {"v", {3, 6}}}, false);
  Tensor(p.master()).copy_(normal({9, 6}, 1));
  p.freeze(
      [&](const std::string& name) { return std::find(frozen.begin(), frozen.end(), name) != frozen.end(); });
  return p;
}

}  // namespace

TEST("parameter: the gradient holds the parts that are trained, and no more") {
  const Tensor dy = normal({5, 9}, 2).to(at::kFloat), x = normal({5, 6}, 3).to(at::kFloat);
  const Tensor whole = at::mm(dy.t(), x);
  for (const std::vector<std::string>& frozen :
       {std::vector<std::string>{}, {"q"}, {"k"}, {"v"}, {"q", "k"}, {"q", "v"}}) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      Parameter p = projection(frozen);
      const double tolerance = type == at::kFloat ? 1e-6 : 2e-2;
      for (const int pass : {1, 2}) {
        p.accumulateOuter(dy.to(type), x.to(type));
        int64_t rows = 0;
        for (const ParameterPart& part : p.parts()) {
          const Tensor gradient = p.gradientOf(part);
          check(gradient.defined() == p.trains(part), part.name + " has a gradient where it is trained");
          if (!gradient.defined()) continue;
          rows += part.rows();
          checkClose(gradient, pass * Parameter::rowsOf(whole, part), tolerance, part.name);
        }
        check(p.gradient().size(0) == rows && p.gradientBytes() == rows * 6 * 4, "no room for frozen parts");
      }
      p.clearGradient();
      p.accumulate(whole);
      p.accumulate(whole);
      for (const ParameterPart& part : p.parts())
        if (p.trains(part))
          checkClose(p.gradientOf(part), 2 * Parameter::rowsOf(whole, part), 1e-6,
                     part.name + ", accumulated");
    }
  }
  Parameter none = projection({"q", "k", "v"});
  none.accumulateOuter(dy, x);
  check(!none.trainable() && !none.gradient().defined(), "nothing where all parts are frozen");
}

TEST("optimizer: frozen parts have no state and do not move; rates by name") {
  Parameter p = projection({"k"});
  const Tensor before = p.master().clone();
  const auto optimizer = makeOptimizer("sgd", {&p}, {.momentum = 0.5});
  check(optimizer->state().size() == 2, "state of two tensors");
  optimizer->setRates({{"v", 0.25}});
  p.accumulate(at::ones({9, 6}));
  optimizer->step(0.1, 1);
  const Tensor moved = before - p.master();
  checkClose(moved.narrow(0, 0, 4), at::full({4, 6}, 0.1), 1e-6, "q, at the whole rate");
  checkSame(p.master().narrow(0, 4, 2), before.narrow(0, 4, 2), "k");
  checkClose(moved.narrow(0, 6, 3), at::full({3, 6}, 0.025), 1e-5, "v, at a quarter of it");
  checkFails("INVALID_INPUT", "that is trained", [&] { optimizer->setRates({{"k", 2}}); });
  checkFails("INVALID_INPUT", "multiplier", [&] { optimizer->setRates({{"q", -1}}); });
}

TEST("parameter: whether another type holds the values") {
  Parameter p({{"w", {3, 5}}}, false);
  Tensor(p.master()).copy_(normal({3, 5}, 1).to(at::kBFloat16));
  check(p.fits(at::kBFloat16) && p.fits(at::kFloat), "bfloat16 values");
  p.master()[2][4] = 1.0001;
  check(!p.fits(at::kBFloat16) && !p.fits(at::kHalf), "a value between two");
}
