// Products against float64 on the same bfloat16 numbers. Whether they go by way of float32 is the machine's
// affair: run with ONEDNN_MAX_CPU_ISA=AVX2, they do.
#include "core/ops/product.h"

#include <ATen/ATen.h>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

/// Two roundings to bfloat16, each of half a last bit (2⁻⁹): of the product, and of the sum it is added to.
constexpr double kTolerance = 1.0 / 256;

void checkProduct(int64_t rows, int64_t inner, int64_t columns) {
  const at::Tensor a = normal({inner, rows}, 1).to(at::kBFloat16).t();
  const at::Tensor b = normal({columns, inner}, 2).to(at::kBFloat16).t();
  const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  checkClose(ops::product(a, b), exact, kTolerance, "product");

  const at::Tensor out = at::full({rows, 2 * columns}, 7, at::kBFloat16);
  ops::productInto(out.narrow(1, columns, columns), a, b);
  checkClose(out.narrow(1, columns, columns), exact, kTolerance, "product into a part");
  check(out.narrow(1, 0, columns).eq(7).all().item<bool>(), "the other part stays");

  ops::addProduct(out.narrow(1, 0, columns), a, b, -0.5);
  checkClose(out.narrow(1, 0, columns), 7 - 0.5 * exact, kTolerance, "added product");
}

}  // namespace

TEST("products of bfloat16: one slab, and several along each side") {
  checkProduct(3, 5, 7);
  checkProduct(4100, 5, 7);
  checkProduct(3, 4100, 7);
  checkProduct(3, 5, 8200);
}
