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

/// Adds an adapter's part to y, scale·x·Aᵀ·Bᵀ of each expert.
void addTo(const Tensor& y, const LoraAdapter& adapter, const Tensor& x,
           const std::vector<int64_t>& firstRow) {
  forGroups(firstRow, [&](int64_t e, int64_t first, int64_t count) {
    const Tensor low = ops::product(x.narrow(0, first, count), adapter.aOf(adapter.a().compute(), e).t());
    ops::addProduct(y.narrow(0, first, count), low, adapter.bOf(adapter.b().compute(), e).t().contiguous(),
                    adapter.scale());
  });
}

/// Gathers an adapter's gradients and adds its part to dx.
void goBack(const LoraAdapter& adapter, const Tensor& x, const Tensor& dy,
            const std::vector<int64_t>& firstRow, const Tensor& dx) {
  const Tensor a = adapter.a().compute(), b = adapter.b().compute();
  const std::optional<Tensor> gradA = adapter.a().gradientTarget(), gradB = adapter.b().gradientTarget();
  forGroups(firstRow, [&](int64_t e, int64_t first, int64_t count) {
    const Tensor rows = x.narrow(0, first, count), dRows = dy.narrow(0, first, count),
                 ownA = adapter.aOf(a, e);
    if (gradB) {
      const Tensor low = ops::product(rows, ownA.t()).mul_(adapter.scale());
      adapter.bOf(*gradB, e).add_(ops::product(dRows.t(), low));
    }
    const Tensor dLow = ops::product(dRows, adapter.bOf(b, e).contiguous()).mul_(adapter.scale());
    if (gradA) adapter.aOf(*gradA, e).add_(ops::product(dLow.t(), rows));
    ops::addProduct(dx.narrow(0, first, count), dLow, ownA);
  });
}

struct GroupedProjected : torch::autograd::Function<GroupedProjected> {
  // The projection outlives every graph that mentions it (the decoder owns it).
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Projection* experts,
                        const std::vector<int64_t>& firstRow, bool adapts) {
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
    if (adapts)
      for (const auto& adapter : experts->adapters) addTo(y, *adapter, x, firstRow);
    // A frozen weight needs no input in backward.
    if (experts->weight->trainable() || !experts->adapters.empty()) ctx->save_for_backward({x});
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
    for (const auto& adapter : experts->adapters)
      goBack(*adapter, ctx->get_saved_variables()[0], dy, firstRow, dx);
    return {dx, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor groupedProjected(const Tensor& x, const Projection& experts, const std::vector<int64_t>& firstRow,
                        bool adapts) {
  return GroupedProjected::apply(x, &experts, firstRow, adapts);
}

}  // namespace adaptive
