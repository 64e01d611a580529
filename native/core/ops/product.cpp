#include "core/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/ops/onednn.h"
#include "core/ops/ops.h"

namespace adaptive::ops {
namespace {

using at::Tensor;

/// Entries of the longest side that are float32 at a time, so that a large weight never is as a whole. With
/// 4,096 malloc kept up to a third of the memory of a run as pieces that nothing else fitted into.
constexpr int64_t kSlab = 512;

bool goesByFloat32(const Tensor& a) {
  return a.scalar_type() == at::kBFloat16 && a.device().is_cpu() && !hasBfloat16Instructions();
}

/// Few rows times the transpose of a matrix: at::mm would copy, and in bfloat16 reorder or widen, all of the
/// matrix for each, and where it splits its sums depends on the number of rows.
bool isThin(const Tensor& a, const Tensor& b) {
  return a.device().is_cpu() && a.size(0) <= kThinRows && b.stride(0) == 1 && b.stride(1) >= b.size(0) &&
         b.scalar_type() == a.scalar_type() && at::isFloatingType(a.scalar_type()) &&
         a.scalar_type() != at::kDouble;
}

Tensor wide(const Tensor& x) { return x.to(at::kFloat); }

template <class Slab>
void forSlabs(int64_t length, Slab slab) {
  for (int64_t first = 0; first < length; first += kSlab) slab(first, std::min(kSlab, length - first));
}

/// out = a·b, or out += scale·a·b.
void byFloat32(const Tensor& out, const Tensor& a, const Tensor& b, bool adds, double scale) {
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  const auto sumOf = [&](const Tensor& target, const Tensor& left, const Tensor& right) {
    return adds ? wide(target).addmm_(left, right, 1, scale) : at::mm(left, right);
  };
  if (inner > std::max(rows, columns)) {
    Tensor sum = adds ? wide(out) : at::zeros(out.sizes(), out.options().dtype(at::kFloat));
    forSlabs(inner, [&](int64_t first, int64_t count) {
      sum.addmm_(wide(a.narrow(1, first, count)), wide(b.narrow(0, first, count)), 1, scale);
    });
    out.copy_(sum);
  } else if (columns > rows) {
    const Tensor left = wide(a);
    forSlabs(columns, [&](int64_t first, int64_t count) {
      const Tensor target = out.narrow(1, first, count);
      target.copy_(sumOf(target, left, wide(b.narrow(1, first, count))));
    });
  } else {
    const Tensor right = wide(b);
    forSlabs(rows, [&](int64_t first, int64_t count) {
      const Tensor target = out.narrow(0, first, count);
      target.copy_(sumOf(target, wide(a.narrow(0, first, count)), right));
    });
  }
}

/// Fewer multiplications are done sooner than oneDNN is asked: 25 µs, twice what it takes to find its code.
constexpr int64_t kLeastForOneDnn = int64_t{1} << 21;
/// Entries of the results, and of the copies of what is transposed, that oneDNN's operators make at a time.
/// They write to no given tensor.
constexpr int64_t kOneDnnEntries = int64_t{1} << 20;

bool goesToOneDnn(const Tensor& a, const Tensor& b) {
  return a.scalar_type() == at::kFloat && a.device().is_cpu() && multipliesFloat32Faster() &&
         a.size(0) * a.size(1) * b.size(1) >= kLeastForOneDnn;
}

/// dyᵀ·x, as the gradient of a weight is formed: rows of `a` lie apart, those of `b` together.
bool isOuter(const Tensor& a, const Tensor& b) {
  return a.stride(0) == 1 && a.stride(1) >= a.size(0) && a.size(0) > 1 && b.stride(1) == 1;
}

/// x·weightᵀ, where the weight may be a transpose.
Tensor timesTranspose(const Tensor& x, const Tensor& weight) {
  using Operator = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view,
                          c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<Operator>();
  return op.call(x, weight, std::nullopt, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

/// use(first, count) for slabs of `length` rows or columns with `entries` each.
template <class Use>
void forOneDnnSlabs(int64_t length, int64_t entries, const Use& use) {
  constexpr int64_t grain = 64;
  const int64_t most = std::max(grain, kOneDnnEntries / entries / grain * grain);
  for (int64_t first = 0; first < length; first += most) use(first, std::min(most, length - first));
}

/// use(part of out, what belongs there of a·b)
template <class Use>
void byOneDnn(const Tensor& out, const Tensor& a, const Tensor& b, const Use& use) {
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  if (isOuter(a, b)) {
    const Tensor x = b.to_mkldnn();
    forOneDnnSlabs(rows, std::max(inner, columns), [&](int64_t first, int64_t count) {
      const Tensor dy = a.narrow(0, first, count).t().to_mkldnn();
      const Tensor weight = at::empty({0}, a.options());  // asked for its type
      use(out.narrow(0, first, count),
          std::get<0>(at::mkldnn_linear_backward_weights(dy, x, weight, /*bias_defined=*/false)));
    });
  } else if (columns > rows) {
    forOneDnnSlabs(columns, rows, [&](int64_t first, int64_t count) {
      use(out.narrow(1, first, count), timesTranspose(a, b.narrow(1, first, count).t()));
    });
  } else {
    forOneDnnSlabs(rows, columns, [&](int64_t first, int64_t count) {
      use(out.narrow(0, first, count), timesTranspose(a.narrow(0, first, count), b.t()));
    });
  }
}

}  // namespace

at::ScalarType productType(const Tensor& a) { return goesByFloat32(a) ? at::kFloat : a.scalar_type(); }

Tensor product(const Tensor& a, const Tensor& b) {
  if (isThin(a, b)) return thinProduct(a, b.t());
  if (goesToOneDnn(a, b) && !isOuter(a, b)) return timesTranspose(a, b.t());
  if (!goesByFloat32(a) && !goesToOneDnn(a, b)) return at::mm(a, b);
  Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  productInto(out, a, b);
  return out;
}

void productInto(Tensor out, const Tensor& a, const Tensor& b) {
  if (out.scalar_type() != a.scalar_type()) {
    floatProduct_(out, a, b, /*beta=*/0, 1);
  } else if (goesByFloat32(a)) {
    byFloat32(out, a, b, /*adds=*/false, 1);
  } else if (goesToOneDnn(a, b)) {
    byOneDnn(out, a, b, [](const Tensor& part, const Tensor& product) { part.copy_(product); });
  } else {
    at::mm_out(out, a, b);
  }
}

void addProduct(Tensor out, const Tensor& a, const Tensor& b, double scale) {
  if (out.scalar_type() != a.scalar_type()) {
    floatProduct_(out, a, b, /*beta=*/1, scale);
  } else if (isThin(a, b)) {
    out.add_(thinProduct(a, b.t()), scale);
  } else if (goesByFloat32(a)) {
    byFloat32(out, a, b, /*adds=*/true, scale);
  } else if (goesToOneDnn(a, b)) {
    byOneDnn(out, a, b, [&](const Tensor& part, const Tensor& product) { part.add_(product, scale); });
  } else {
    out.addmm_(a, b, 1, scale);
  }
}

void addOuter(Tensor gradient, const Tensor& dy, const Tensor& x, bool first, double scale) {
  const double beta = first ? 0 : 1;
  if (goesToOneDnn(dy.t(), x)) {
    byOneDnn(gradient, dy.t(), x, [&](Tensor part, const Tensor& product) {
      first ? at::mul_out(part, product, at::scalar_tensor(scale)) : part.add_(product, scale);
    });
  } else if (dy.scalar_type() == at::kFloat) {
    gradient.addmm_(dy.t(), x, beta, scale);
  } else {
    floatProduct_(gradient, dy.t(), x, beta, scale);
  }
}

}  // namespace adaptive::ops
