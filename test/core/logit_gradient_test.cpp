#include "core/ops/logit_gradient.h"

#include "check.h"
#include "outer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

constexpr int64_t kTokens = 9, kVocab = 23, kWidth = 5;

/// A gradient in its parts, and the same as a whole in float64.
struct Case {
  ops::LogitGradient gradient;
  Tensor whole;
};

Case factored(at::ScalarType type, double unit) {
  const Tensor numerators = normal({kTokens, kVocab}, 1).abs().to(type);
  const Tensor scales = (normal({kTokens, 3}, 2) * unit).to(at::kFloat);
  const Tensor labels = (at::arange(kTokens, at::kLong) * 7 % kVocab).to(at::kInt);
  // Token 3's first choice is its label.
  Tensor ints = at::stack({labels, (labels + 4).remainder(kVocab)}, 1).to(at::kInt);
  ints[3][1] = labels[3];
  Tensor whole = numerators.to(at::kDouble) * scales.narrow(1, 0, 1);
  for (int64_t i = 0; i < kTokens; i++) {
    whole[i][labels[i].item<int64_t>()] += scales[i][1];
    whole[i][ints[i][1].item<int64_t>()] += scales[i][2];
  }
  return {{numerators, scales, labels, ints, unit}, whole};
}

}  // namespace

TEST("the parts of a gradient of logits add up to it") {
  for (const auto& [type, tolerance] : {std::pair{at::kBFloat16, 4e-3}, {at::kHalf, 6e-4}}) {
    // 2⁻³⁰ is far below what float16 holds.
    for (const double unit : {1.0, 0x1p-30}) {
      const auto& [gradient, whole] = factored(type, unit);
      const Tensor x = normal({kTokens, kWidth}, 3).to(type);
      Tensor sum = at::zeros({kVocab, kWidth}, at::kDouble);
      addOuter(sum, gradient, x);
      checkClose(sum, at::mm(whole.t(), x.to(at::kDouble)), tolerance, "the product with inputs");
      checkClose(gradient.sum(), whole.sum(0), tolerance, "the sum over tokens");
      const Tensor ids = at::tensor({7, 0, 22, 14}, at::kLong);
      const ops::LogitGradient chosen = gradient.columns(ids);
      checkClose(chosen.values().to(at::kDouble) * chosen.unit(), whole.index_select(1, ids), tolerance,
                 "columns");
    }
  }
}

TEST("a gradient of logits as a whole is what it was made of") {
  const Tensor values = normal({kTokens, kVocab}, 1).to(at::kFloat),
               matrix = normal({kVocab, kWidth}, 2).to(at::kFloat);
  for (const double unit : {1.0, 0.25}) {
    const ops::LogitGradient gradient(values, unit);
    Tensor product = at::empty({kTokens, kWidth});
    const Tensor half = at::empty({kTokens, kWidth}, at::kBFloat16);
    gradient.timesInto(product, matrix);
    checkClose(product, at::mm(values, matrix) * unit, 1e-6, "times a matrix");
    ops::LogitGradient(values.to(at::kBFloat16), unit).timesInto(half, matrix.to(at::kBFloat16));
    checkClose(half, at::mm(values, matrix) * unit, 2e-2, "times a matrix, in 16 bits");
    checkClose(gradient.sum(), values.sum(0) * unit, 1e-6, "sum");
    check(gradient.points(product).empty(), "no points");
  }
}
