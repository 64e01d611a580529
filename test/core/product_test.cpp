// Products against float64 on the same numbers. Whether those of bfloat16 go by way of float32, and those of
// float32 to oneDNN, is the machine's affair: run with ONEDNN_MAX_CPU_ISA=AVX2, the former do, the latter do
// not.
#include "core/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

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

TEST("products of float32: rows together or apart on either side, and results in slabs") {
  // Shapes with more results, or more of what is transposed, than a slab has; and small ones.
  const int64_t shapes[][3] = {
      {2100, 65, 2200}, {130, 70, 260}, {2, 3, 4}, {40000, 130, 33}, {33, 9000, 600}};
  for (const auto& [rows, inner, columns] : shapes) {
    const Tensor a = normal({rows, inner}, 1).to(at::kFloat), b = normal({inner, columns}, 2).to(at::kFloat);
    const Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    for (const bool aApart : {false, true}) {
      for (const bool bApart : {false, true}) {
        const Tensor left = aApart ? a.t().contiguous().t() : a, right = bApart ? b.t().contiguous().t() : b;
        const std::string where = c10::str(rows, "x", inner, "x", columns, aApart, bApart);
        checkClose(ops::product(left, right), exact, 2e-6, where);
        const Tensor out = at::full({rows, columns + 3}, 7, at::kFloat);
        ops::productInto(out.narrow(1, 3, columns), left, right);
        checkClose(out.narrow(1, 3, columns), exact, 2e-6, where + " into a part");
        ops::addProduct(out.narrow(1, 3, columns), left, right, -0.5);
        checkClose(out.narrow(1, 3, columns), 0.5 * exact, 2e-6, where + " added");
        check(out.narrow(1, 0, 3).eq(7).all().item<bool>(), "the other part stays");
      }
    }
  }
}

TEST("products of few rows: no row depends on the others, nor on the threads") {
  const int before = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const Tensor a = normal({ops::kThinRows, 77}, 1).to(type), weight = normal({1003, 77}, 2).to(type);
    const Tensor exact = at::mm(a.to(at::kDouble), weight.to(at::kDouble).t());
    const Tensor together = ops::product(a, weight.t());
    checkClose(together, exact, type == at::kFloat ? 1e-6 : 5e-3, "product");
    for (const int64_t rows : {1, 2, 5, 31}) {
      for (const int threads : {1, 3}) {
        at::set_num_threads(threads);
        checkSame(ops::product(a.narrow(0, 1, rows), weight.t()), together.narrow(0, 1, rows),
                  c10::str(rows, " rows on ", threads, " threads"));
      }
    }
    Tensor sum = at::ones({3, 1003}, type);
    ops::addProduct(sum, a.narrow(0, 0, 3), weight.t(), 0.5);
    checkClose(sum, exact.narrow(0, 0, 3) * 0.5 + 1, type == at::kFloat ? 1e-6 : 1e-2, "sum");
  }
  at::set_num_threads(before);
}
