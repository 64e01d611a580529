// What operators do on a device that has no implementation of its own, in libtorch's operators.
#include <ATen/ATen.h>

#include "core/ops/library.h"
#include "core/ops/ops.h"

namespace adaptive::ops {
namespace {

void addRowsAnywhere(Tensor table, const Tensor& ids, const Tensor& rows, double scale) {
  table.index_add_(0, ids, rows, scale);
}

std::tuple<Tensor, Tensor> attendNextAnywhere(const Tensor& q, at::TensorList k, at::TensorList v,
                                              double scale, int64_t window, double softCap) {
  std::vector<Tensor> outs, lses;
  for (int64_t row = 0; row < q.size(0); row++) {
    const auto [out, lse] = attentionCached(q.narrow(0, row, 1), k[row], v[row], scale, window, softCap);
    outs.push_back(out), lses.push_back(lse);
  }
  return {at::cat(outs), at::cat(lses, 1)};
}

bool formsFloatLogitsAnywhere(const Tensor& /*hidden*/) { return false; }

Tensor thinProductAnywhere(const Tensor& a, const Tensor& weight) { return at::mm(a, weight.t()); }

}  // namespace
}  // namespace adaptive::ops

ADAPTIVE_LIBRARY_IMPL(CompositeExplicitAutograd, m) {
  m.impl("add_rows_", &adaptive::ops::addRowsAnywhere);
  m.impl("attend_next", &adaptive::ops::attendNextAnywhere);
  m.impl("forms_float_logits", &adaptive::ops::formsFloatLogitsAnywhere);
  m.impl("thin_product", &adaptive::ops::thinProductAnywhere);
}
