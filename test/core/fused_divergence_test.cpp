// The fused head and divergence against autograd on materialised logits in float64.
#include "core/loss/fused_divergence.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "check.h"
#include "core/ops/ops.h"
#include "outer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

/// Both models, in float64 that float32 holds.
struct Problem {
  HeadOperands model, base;
};

Tensor rounded(const Tensor& t, at::ScalarType type = at::kFloat) { return t.to(type).to(at::kDouble); }

/// `apart`: how far the model is from its base.
Problem problem(int64_t tokens, int64_t vocab, int64_t width, double apart, double size = 1) {
  const Tensor hidden = normal({tokens, width}, 1) * size, weight = normal({vocab, width}, 2) * 0.5;
  return {{rounded(hidden + apart * normal({tokens, width}, 3)),
           rounded(weight + apart * normal({vocab, width}, 4))},
          {rounded(hidden), rounded(weight)}};
}

struct Result {
  double sum;
  Tensor gradHidden, gradWeight;
};

Result fused(const Problem& p, at::ScalarType type, ChunkOptions options, LogitOptions logits = {},
             double weight = 0.3, at::ScalarType baseHead = at::ScalarType::Undefined) {
  Result result{0, {}, at::zeros(p.model.weight.sizes(), at::kDouble)};
  const HeadOperands model = {p.model.hidden.to(type), p.model.weight.to(type), logits.bias},
                     base = {p.base.hidden.to(type),
                             p.base.weight.to(baseHead == at::ScalarType::Undefined ? type : baseHead),
                             logits.bias};
  const auto gather = [&](const ops::LogitGradient& dLogits, const Tensor& chunk) {
    addOuter(result.gradWeight, dLogits, chunk);
  };
  const Divergence found = fusedDivergence(model, base, weight, options, logits, gather);
  check(found.tokens == p.model.hidden.size(0), "every token counted");
  result.sum = found.sum, result.gradHidden = found.gradHidden;
  return result;
}

Result materialised(const Problem& p, at::ScalarType type = at::kDouble, LogitOptions options = {},
                    double weight = 0.3) {
  const Tensor hidden = rounded(p.model.hidden, type).requires_grad_(true),
               head = rounded(p.model.weight, type).requires_grad_(true);
  const auto logitsOf = [&](const Tensor& h, const Tensor& w) {
    Tensor z = options.scale * at::mm(h, w.t());
    if (options.bias.defined()) z = z + options.bias;
    if (options.cap > 0) z = options.cap * (z / options.cap).tanh();
    return type == at::kDouble ? z : z + (rounded(z.detach(), type) - z.detach());
  };
  const Tensor base = logitsOf(rounded(p.base.hidden, type), rounded(p.base.weight, type)).log_softmax(1);
  const Tensor own = logitsOf(hidden, head).log_softmax(1);
  const Tensor sum = (base.exp() * (base - own)).sum();
  const auto grads = torch::autograd::grad({weight * sum}, {hidden, head});
  return {sum.item<double>(), grads[0], grads[1]};
}

}  // namespace

TEST("fused divergence: value and gradients in float32, in chunks of any size") {
  for (const int64_t vocab : {13, 257, 5003}) {
    for (const double apart : {1e-3, 0.05, 1.0}) {
      const Problem p = problem(23, vocab, 33, apart);
      const Result e = materialised(p);
      for (const int64_t chunk : {1, 7, 23, 100, 0}) {
        const std::string at = c10::str(" (vocabulary ", vocab, ", apart ", apart, ", chunk ", chunk, ")");
        const Result r = fused(p, at::kFloat, {.tokens = chunk});
        // What differs is the rounding of logits of size 10 to float32 beside differences of `apart`.
        checkNear(r.sum, e.sum, 2e-6 / apart * e.sum, "KL" + at);
        checkClose(r.gradHidden, e.gradHidden, 3e-6 / std::min(apart, 1.0), "gradHidden" + at);
        checkClose(r.gradWeight, e.gradWeight, 3e-6 / std::min(apart, 1.0), "gradWeight" + at);
      }
    }
  }
}

TEST("fused divergence: scaled and capped logits") {
  const Problem p = problem(23, 257, 33, 0.2);
  for (const LogitOptions& logits : {LogitOptions{0.25, 0}, LogitOptions{1, 3}, LogitOptions{0.5, 30},
                                     LogitOptions{0.5, 3, at::linspace(-3, 2, p.model.weight.size(0))}}) {
    const Result e = materialised(p, at::kDouble, logits);
    for (const int64_t chunk : {1, 7, 23}) {
      const std::string at = c10::str(" (scale ", logits.scale, ", cap ", logits.cap, ", chunk ", chunk, ")");
      const Result r = fused(p, at::kFloat, {.tokens = chunk}, logits);
      checkNear(r.sum, e.sum, 1e-5 * e.sum, "KL" + at);
      checkClose(r.gradHidden, e.gradHidden, 1e-5, "gradHidden" + at);
      checkClose(r.gradWeight, e.gradWeight, 1e-5, "gradWeight" + at);
    }
  }
}

TEST("fused divergence: exactly zero while the model is the base, in every type and chunk") {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const int64_t vocab : {13, 1031, 9001}) {
      for (const LogitOptions logits : {LogitOptions{}, LogitOptions{0.5, 30}}) {
        for (const int64_t chunk : {1, 5, 19}) {
          Problem p = problem(19, vocab, 24, 0);
          p.model = p.base = {rounded(p.base.hidden, at::kBFloat16), rounded(p.base.weight, at::kBFloat16)};
          // A head kept in bfloat16 is the same head where bfloat16 holds its values.
          const auto heads = type == at::kFloat ? std::vector{type, at::kBFloat16} : std::vector{type};
          for (const auto head : heads) {
            const Result r = fused(p, type, {.tokens = chunk}, logits, 2, head);
            check(r.sum == 0, "KL");
            check(r.gradHidden.abs().max().item<double>() == 0, "gradHidden");
            check(r.gradWeight.abs().max().item<double>() == 0, "gradWeight");
          }
        }
      }
    }
  }
}

TEST("fused divergence: never negative, and exact to a part in a thousand where it is tiny") {
  for (const double apart : {1e-5, 1e-4, 1e-3}) {
    // Wide enough apart in single logits, of which few move.
    Problem p = problem(9, 2049, 16, 0, 0.3);
    p.model.hidden = rounded(p.base.hidden + apart * normal({9, 16}, 8));
    const Result r = fused(p, at::kFloat, {});
    const Result e = materialised(p);
    check(r.sum > 0, "a positive divergence");
    checkNear(r.sum, e.sum, (apart < 1e-4 ? 2e-2 : 1e-3) * e.sum, "KL");
  }
}

TEST("fused divergence: models that are sure of different tokens") {
  Problem p = problem(6, 300, 8, 0);
  p.model.hidden = rounded(p.base.hidden * -40), p.base.hidden = rounded(p.base.hidden * 40);
  const Result r = fused(p, at::kFloat, {.tokens = 4});
  const Result e = materialised(p);
  check(e.sum > 6 * 100, "probabilities that float32 does not hold");
  checkNear(r.sum, e.sum, 1e-5 * e.sum, "KL");
  checkClose(r.gradHidden, e.gradHidden, 1e-5, "gradHidden");
  checkClose(r.gradWeight, e.gradWeight, 1e-5, "gradWeight");
}

TEST("fused divergence: bfloat16 stays near float64 on the same rounded inputs") {
  for (const int64_t vocab : {13, 1031}) {
    const Problem p = problem(31, vocab, 40, 0.3, 0.5);
    const Result e = materialised(p, at::kBFloat16);
    const Result r = fused(p, at::kBFloat16, {.tokens = 7});
    // Logits of up to about 8 are themselves rounded to bfloat16, and so is their gradient.
    checkNear(r.sum, e.sum, 1e-2 * e.sum, "KL");
    checkClose(r.gradHidden, e.gradHidden, 2e-2, "gradHidden");
    checkClose(r.gradWeight, e.gradWeight, 2e-2, "gradWeight");
  }
}

TEST("fused divergence: without a weight there is no gradient, and the value is the same") {
  const Problem p = problem(23, 257, 33, 0.2);
  const Result both = fused(p, at::kFloat, {});
  const Result without = fused(p, at::kFloat, {}, {}, 0);
  check(both.sum == without.sum, "the same value");
  check(!without.gradHidden.defined() && without.gradWeight.abs().max().item<double>() == 0, "no gradient");
}

TEST("fused divergence: operands and numbers that do not fit") {
  const Problem p = problem(4, 13, 6, 0.1);
  const auto run = [&](const HeadOperands& model, const HeadOperands& base, double weight = 1) {
    fusedDivergence(model, base, weight, {}, {}, [](const auto&, const auto&) {});
  };
  checkFails("INVALID_INPUT", "alike for model and base", [&] {
    run(p.model, {p.base.hidden.narrow(0, 0, 3), p.base.weight});
  });
  checkFails("INVALID_INPUT", "alike for model and base", [&] {
    run(p.model, {p.base.hidden, p.base.weight.narrow(0, 0, 12)});
  });
  checkFails("INVALID_INPUT", "alike for model and base", [&] {
    run(p.model, {p.base.hidden.to(at::kFloat), p.base.weight});
  });
  const HeadOperands own = {p.model.hidden.to(at::kFloat), p.model.weight.to(at::kFloat)},
                     base = {p.base.hidden.to(at::kFloat), p.base.weight.to(at::kFloat)};
  checkFails("INVALID_INPUT", "the weight of the divergence", [&] { run(own, base, -1); });
  own.hidden[2][1] = std::numeric_limits<float>::quiet_NaN();
  checkFails("LOSS_NOT_FINITE", "retained token 2", [&] { run(own, base); });
  // By then the chunk before that token's has been gathered, and no other.
  int64_t gathered = 0;
  checkFails("LOSS_NOT_FINITE", "retained token 2", [&] {
    fusedDivergence(own, base, 1, {.tokens = 2}, {},
                    [&](const auto&, const Tensor& rows) { gathered += rows.size(0); });
  });
  check(gathered == 2, "the first chunk alone");
}
