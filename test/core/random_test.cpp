// Numbers by counter: their distribution, that none depends on a split, and dropout as a function with a
// gradient.
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "check.h"
#include "core/model/layers.h"
#include "core/model/rope.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/ops.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

double correlation(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble) - a.to(at::kDouble).mean(),
               y = b.to(at::kDouble) - b.to(at::kDouble).mean();
  return ((x * y).mean() / (x.square().mean() * y.square().mean()).sqrt()).item<double>();
}

Tensor uniformBy(uint64_t key, int64_t count = 200000) {
  return ops::uniform(at::empty({count}, at::kFloat), key);
}

}  // namespace

TEST("random: uniform numbers have the moments of the distribution, and fill it") {
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, mixed({42, 1, 0}), ~uint64_t{0}}) {
    const Tensor u = uniformBy(key).to(at::kDouble);
    checkNear(u.mean().item<double>(), 0.5, 0.003, "mean");
    checkNear((u - 0.5).square().mean().item<double>(), 1.0 / 12, 0.001, "variance");
    check(u.min().item<double>() >= 0 && u.max().item<double>() < 1, "from 0 to less than 1");
    const Tensor counts = (u * 100).to(at::kLong).bincount();
    // 2,000 in each of 100 classes on average: chi squared has 99 degrees of freedom, 180 is 5.7 deviations
    // off.
    const double chi = ((counts.to(at::kDouble) - 2000).square() / 2000).sum().item<double>();
    check(chi < 180 && chi > 40, c10::str("evenly filled classes, chi squared ", chi));
  }
}

TEST("random: neighbouring indices and neighbouring keys have nothing to do with each other") {
  const Tensor u = uniformBy(7);
  for (const int64_t lag : {1, 2, 64, 4096})
    checkNear(correlation(u.narrow(0, 0, 100000), u.narrow(0, lag, 100000)), 0, 0.015, "autocorrelation");
  for (const uint64_t key : {uint64_t{8}, uint64_t{6}, uint64_t{7} << 32, uint64_t{7} | uint64_t{1} << 63})
    checkNear(correlation(u, uniformBy(key)), 0, 0.012, "correlation of keys");
}

TEST("random: an index beyond 2^32 has a number of its own, and a split changes none") {
  const int64_t edge = (int64_t{1} << 32) - 5;
  std::vector<float> whole(20), parts(20), low(20);
  cpu::randomKernels().uniform(whole.data(), 20, 3, edge);
  cpu::randomKernels().uniform(parts.data(), 7, 3, edge);
  cpu::randomKernels().uniform(parts.data() + 7, 13, 3, edge + 7);
  cpu::randomKernels().uniform(low.data(), 15, 3, 0);
  check(whole == parts, "the same numbers in two parts");
  for (int i = 0; i < 15; i++) check(whole[5 + i] != low[i], "other numbers than from 0 on");
}

TEST("dropout: the rate, the scale, the same mask for a gradient") {
  const Tensor x = normal({300, 257}, 4).to(at::kFloat);
  for (const double rate : {0.1, 0.5, 0.9}) {
    const Tensor leaf = x.clone().requires_grad_(true);
    const Tensor y = dropped(leaf, rate, DropoutKey(11));
    const Tensor kept = y.ne(0);
    checkNear(kept.to(at::kDouble).mean().item<double>(), 1 - rate, 0.006, "share that is kept");
    checkClose(y, at::where(kept, x / (1 - rate), 0), 1e-6, "what is kept");
    const Tensor dy = normal({300, 257}, 5).to(at::kFloat);
    const Tensor dx = torch::autograd::grad({y}, {leaf}, {dy})[0];
    checkClose(dx, at::where(kept, dy / (1 - rate), 0), 1e-6, "gradient");
    checkSame(ops::dropout(x, rate, 11), y.detach(), "the same key");
    check(!ops::dropout(x, rate, 12).equal(y.detach()), "another mask for another key");
    checkSame(ops::dropout(x.to(at::kBFloat16), rate, 11).ne(0), kept, "the same mask in bfloat16");
  }
  check(dropped(x, 0.5, {}).is_same(x) && dropped(x, 0, DropoutKey(1)).is_same(x),
        "nothing without key or rate");
  check(dropped(x, 1, DropoutKey(1)).eq(0).all().item<bool>(), "nothing left with a rate of 1");
}

TEST("attention dropout: the weights of a mask that is read off, and its gradient, in float64") {
  // With values that are unit vectors, the output is the dropped weights themselves.
  constexpr int64_t kTokens = 24, kHeads = 2, kDim = 24;
  constexpr double kRate = 0.3, kScale = 0.25;
  for (const double cap : {0.0, 5.0}) {
    for (const int64_t window : {0, 7}) {
      const Tensor cu = at::tensor({0, 10, 24}, at::kInt);
      const Tensor qk = normal({kTokens, 2 * kHeads * kDim}, 6).to(at::kFloat);
      Tensor eye = at::zeros({kTokens, kHeads, kDim}, at::kFloat);
      for (int64_t t = 0; t < kTokens; t++) eye.select(0, t).select(1, t < 10 ? t : t - 10).fill_(1);
      const Tensor qkv = at::cat({qk, eye.view({kTokens, -1})}, 1);
      const auto attend = [&](const Tensor& x, double rate) {
        return std::get<0>(ops::attention(x, cu, 14, kHeads, kHeads, kScale, window, cap, rate, 99))
            .view({kTokens, kHeads, kDim});
      };
      const Tensor plain = attend(qkv, 0), withMask = attend(qkv, kRate);
      const Tensor seen = plain.ne(0), mask = withMask.ne(0).to(at::kDouble) / (1 - kRate);
      checkClose(withMask, plain * mask, 1e-6, "weights that are kept are divided by what is kept");
      const double share = withMask.ne(0).sum().item<double>() / seen.sum().item<double>();
      checkNear(share, 1 - kRate, 0.12, "share of the weights that is kept");
      // The same in float64 from the mask, and its gradient, for values of any kind.
      const Tensor values = normal({kTokens, kHeads * kDim}, 8).to(at::kFloat);
      const Tensor input = at::cat({qk, values}, 1);
      const Tensor wide = input.to(at::kDouble).requires_grad_(true);
      const Tensor heads = wide.view({kTokens, 3 * kHeads, kDim});
      std::vector<Tensor> rows;
      for (const auto& [first, last] : {std::pair(0, 10), std::pair(10, 24)}) {
        const auto part = [&](int64_t group) {
          return heads.slice(0, first, last).slice(1, group * kHeads, (group + 1) * kHeads).transpose(0, 1);
        };
        Tensor scores = at::matmul(part(0), part(1).transpose(1, 2)) * kScale;
        if (cap > 0) scores = cap * (scores / cap).tanh();
        const Tensor own = seen.slice(0, first, last).slice(2, 0, last - first).transpose(0, 1);
        const Tensor kept = mask.slice(0, first, last).slice(2, 0, last - first).transpose(0, 1);
        const Tensor weights = scores.masked_fill(own.logical_not(), -INFINITY).softmax(-1) * kept;
        rows.push_back(at::matmul(weights, part(2)).transpose(0, 1).reshape({last - first, kHeads * kDim}));
      }
      const Tensor expected = at::cat(rows), dy = normal({kTokens, kHeads * kDim}, 9);
      const Tensor leaf = input.clone().requires_grad_(true);
      const Tensor actual = rotaryAttention(leaf, {}, {cu, 14}, {kHeads, kHeads, kDim, kScale, window, cap},
                                            nullptr, kRate, DropoutKey(99));
      checkClose(actual, expected.detach(), 2e-6, "output");
      checkClose(torch::autograd::grad({actual}, {leaf}, {dy.to(at::kFloat)})[0],
                 torch::autograd::grad({expected}, {wide}, {dy})[0], 5e-6, "gradient");
    }
  }
}
