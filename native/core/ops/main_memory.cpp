// What a device that shares the memory of the host does: products by way of their own type, and what is left.
#include <ATen/ATen.h>

#include <algorithm>

#include "core/available_memory.h"
#include "core/ops/library.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"

namespace adaptive::ops {
namespace {

int64_t freeBytesAnywhere(const Tensor& /*like*/) { return availableMemory(); }

std::tuple<int64_t, int64_t, int64_t> noDeviceMemory(const Tensor& /*like*/) { return {0, 0, 0}; }

Tensor hostBytesAnywhere(const Tensor& /*like*/, int64_t bytes) { return at::empty({bytes}, at::kByte); }

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

}  // namespace
}  // namespace adaptive::ops

ADAPTIVE_LIBRARY_IMPL(CompositeExplicitAutograd, m) {
  m.impl("free_bytes", &adaptive::ops::freeBytesAnywhere);
  m.impl("device_memory", &adaptive::ops::noDeviceMemory);
  m.impl("host_bytes", &adaptive::ops::hostBytesAnywhere);
  m.impl("pinned_bytes", &adaptive::ops::hostBytesAnywhere);
  m.impl("float_product_", &adaptive::ops::floatProductAnywhere);
}
