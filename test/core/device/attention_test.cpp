// The operators of attention on a device beside float64: on a GPU whichever of its kernels serves the size.
#include <cmath>

#include "check.h"
#include "core/ops/ops.h"
#include "device/test_device.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

struct Case {
  int64_t heads, kvHeads, headDim, window;
  double softCap;
};

/// What each row attends to, in float64 on the CPU: softmax over the keys of its row that it sees.
Tensor attended(const Tensor& qkv, const std::vector<int32_t>& cu, const Case& c, double scale) {
  const Tensor all = qkv.view({qkv.size(0), c.heads + 2 * c.kvHeads, c.headDim});
  const auto ofHeads = [&](int64_t first, int64_t count) {
    return all.narrow(1, first, count).repeat_interleave(c.heads / count, 1).transpose(0, 1);
  };
  const Tensor q = ofHeads(0, c.heads), k = ofHeads(c.heads, c.kvHeads),
               v = ofHeads(c.heads + c.kvHeads, c.kvHeads);
  std::vector<Tensor> rows;
  for (size_t r = 0; r + 1 < cu.size(); r++) {
    const int64_t n = cu[r + 1] - cu[r];
    const auto own = [&](const Tensor& x) { return x.narrow(1, cu[r], n); };
    Tensor scores = at::matmul(own(q), own(k).transpose(1, 2)) * scale;
    if (c.softCap > 0) scores = c.softCap * (scores / c.softCap).tanh();
    const Tensor place = at::arange(n), gap = place.unsqueeze(1) - place.unsqueeze(0);
    Tensor hidden = gap.lt(0);
    if (c.window > 0) hidden = hidden.logical_or(gap.ge(c.window));
    rows.push_back(at::matmul(scores.masked_fill(hidden, -INFINITY).softmax(2), own(v)));
  }
  return at::cat(rows, 1).transpose(0, 1).reshape({qkv.size(0), -1});
}

/// Shares of the largest entry. float32 may go by way of three products of TF32.
double toleranceOf(at::ScalarType type) {
  return type == at::kFloat ? 2e-5 : type == at::kHalf ? 3e-3 : 2e-2;
}

}  // namespace

TEST("attention on a device, forward, backward and over a cache, is that of float64") {
  const std::vector<int32_t> cu = {0, 1, 18, 51};
  const Tensor offsets = at::tensor(cu).to(testDevice());
  for (const Case& c : {Case{2, 1, 8, 0, 0},
                        {4, 2, 64, 0, 0},
                        {4, 2, 64, 9, 0},
                        {2, 2, 20, 0, 0},
                        {2, 1, 13, 5, 0},
                        {4, 1, 80, 0, 0},
                        {2, 2, 128, 0, 0},
                        {2, 1, 128, 0, 7},
                        {2, 1, 192, 3, 0},
                        {1, 1, 216, 0, 0},
                        {2, 1, 256, 0, 0}}) {
    for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const std::string where = c10::str(" of ", c.heads, "/", c.kvHeads, " heads of ", c.headDim,
                                         ", window ", c.window, ", cap ", c.softCap, ", ", type);
      const double scale = 1 / std::sqrt(static_cast<double>(c.headDim)), tolerance = toleranceOf(type);
      const Tensor qkv = normal({51, (c.heads + 2 * c.kvHeads) * c.headDim}, 1).to(type),
                   dOut = normal({51, c.heads * c.headDim}, 2).to(type);
      const Tensor leaf = qkv.to(at::kDouble).requires_grad_(true);
      const Tensor expected = attended(leaf, cu, c, scale);
      expected.backward(dOut.to(at::kDouble));
      const Tensor on = qkv.to(testDevice());
      const auto [out, lse] = ops::attention(on, offsets, 33, c.heads, c.kvHeads, scale, c.window, c.softCap);
      checkClose(out.cpu(), expected, tolerance, "attention" + where);
      const Tensor dQkv = ops::attentionBackward(dOut.to(testDevice()), on, out, lse, offsets, 33, c.heads,
                                                 c.kvHeads, scale, c.window, c.softCap);
      checkClose(dQkv.cpu(), leaf.grad(), 2 * tolerance, "its gradient" + where);
      // The last three positions of the last row, whose keys and values are there.
      const Tensor row = on.narrow(0, 18, 33).view({33, c.heads + 2 * c.kvHeads, c.headDim});
      const auto cached = ops::attentionCached(
          row.narrow(0, 30, 3).narrow(1, 0, c.heads), row.narrow(1, c.heads, c.kvHeads).contiguous(),
          row.narrow(1, c.heads + c.kvHeads, c.kvHeads).contiguous(), scale, c.window, c.softCap);
      checkClose(std::get<0>(cached).cpu(), expected.detach().narrow(0, 48, 3), tolerance, "a cache" + where);
    }
  }
}
