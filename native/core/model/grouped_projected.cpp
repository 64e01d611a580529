#include "core/model/grouped_projected.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/ops/product.h"

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// f(expert, first row, rows) for each expert that has rows.
template <class F>
void forGroups(const std::vector<int64_t>& firstRow, const F& f) {
  for (size_t e = 0; e + 1 < firstRow.size(); e++) {
    const int64_t count = firstRow[e + 1] - firstRow[e];
    if (count > 0) f(static_cast<int64_t>(e), firstRow[e], count);
  }
}

struct GroupedProjected : torch::autograd::Function<GroupedProjected> {
  // The projection outlives every graph that mentions it (the decoder owns it).
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Projection* experts,
                        const std::vector<int64_t>& firstRow) {
    const Tensor& weight = experts->weight->compute();
    Tensor y = at::empty({x.size(0), weight.size(1)}, x.options());
    forGroups(firstRow, [&](int64_t e, int64_t first, int64_t count) {
      Tensor rows = y.narrow(0, first, count);
      if (const Parameter* bias = experts->bias.get()) {
        rows.copy_(bias->compute()[e].expand_as(rows));
        ops::addProduct(rows, x.narrow(0, first, count), weight[e].t());
      } else {
        ops::productInto(rows, x.narrow(0, first, count), weight[e].t());
      }
    });
    // A frozen weight needs no input in backward.
    if (experts->weight->trainable()) ctx->save_for_backward({x});
    ctx->saved_data["experts"] = reinterpret_cast<int64_t>(experts);
    ctx->saved_data["firstRow"] = firstRow;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto* experts = reinterpret_cast<const Projection*>(ctx->saved_data["experts"].toInt());
    const std::vector<int64_t> firstRow = ctx->saved_data["firstRow"].toIntVector();
    const Tensor dy = grads[0].contiguous();
    const Tensor& weight = experts->weight->compute();
    if (experts->weight->trainable())
      experts->weight->accumulateOuter(dy, ctx->get_saved_variables()[0], firstRow);
    if (Parameter* bias = experts->bias.get(); bias && bias->trainable()) {
      Tensor& gradient = bias->gradientToAddTo();
      forGroups(firstRow, [&](int64_t e, int64_t first, int64_t count) {
        gradient[e].add_(dy.narrow(0, first, count).sum(0, false, at::kFloat));
      });
    }
    Tensor dx = at::empty({dy.size(0), weight.size(2)}, dy.options());
    forGroups(firstRow, [&](int64_t e, int64_t first, int64_t count) {
      ops::productInto(dx.narrow(0, first, count), dy.narrow(0, first, count), weight[e]);
    });
    return {dx, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor groupedProjected(const Tensor& x, const Projection& experts, const std::vector<int64_t>& firstRow) {
  return GroupedProjected::apply(x, &experts, firstRow);
}

}  // namespace adaptive
