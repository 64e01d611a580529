// What operators do on a device that has no implementation of its own, in libtorch's operators.
#include <ATen/ATen.h>

#include <algorithm>

#include "core/available_memory.h"
#include "core/ops/library.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"

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

int64_t freeBytesAnywhere(const Tensor& /*like*/) { return availableMemory(); }

/// A slab of rows at a time, so that the temporary of 16 bits stays small.
void floatProductAnywhere(Tensor out, const Tensor& a, const Tensor& b, double beta, double scale) {
  constexpr int64_t kSlabRows = 4096;
  for (int64_t row = 0; row < out.size(0); row += kSlabRows) {
    const int64_t count = std::min(kSlabRows, out.size(0) - row);
    const Tensor rounded = product(a.narrow(0, row, count), b);
    Tensor target = out.narrow(0, row, count);
    if (beta == 0) {
      target.copy_(rounded);
      if (scale != 1) target.mul_(scale);
    } else {
      if (beta != 1) target.mul_(beta);
      target.add_(rounded, scale);
    }
  }
}

Tensor thinProductAnywhere(const Tensor& a, const Tensor& weight) { return at::mm(a, weight.t()); }

}  // namespace
}  // namespace adaptive::ops

ADAPTIVE_LIBRARY_IMPL(CompositeExplicitAutograd, m) {
  m.impl("add_rows_", &adaptive::ops::addRowsAnywhere);
  m.impl("attend_next", &adaptive::ops::attendNextAnywhere);
  m.impl("forms_float_logits", &adaptive::ops::formsFloatLogitsAnywhere);
  m.impl("free_bytes", &adaptive::ops::freeBytesAnywhere);
  m.impl("float_product_", &adaptive::ops::floatProductAnywhere);
  m.impl("thin_product", &adaptive::ops::thinProductAnywhere);
}
