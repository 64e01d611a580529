// Products of matrices as at::mm gives them. Those of bfloat16 go by way of float32 where the CPU has no
// instructions for bfloat16: libtorch's own are slower there, up to 90 times. Those of float32 go to oneDNN
// where MKL, which at::mm asks, leaves half of the CPU unused (onednn.h).
#pragma once
#include <ATen/core/Tensor.h>

namespace adaptive::ops {

/// The type that products of tensors like this one are computed in: float32 where bfloat16 goes by way of it.
at::ScalarType productType(const at::Tensor& a);
/// Up to so many rows are multiplied with the transpose of a matrix so that none depends on the others.
constexpr int64_t kThinRows = 32;
/// a·b [n, m] for a [n, k] and b [k, m] of one type. Sums are float32, rounded once.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
/// out [n, m] = a·b; out of their type, or float32.
void productInto(at::Tensor out, const at::Tensor& a, const at::Tensor& b);
/// out [n, m] += scale·a·b; out likewise.
void addProduct(at::Tensor out, const at::Tensor& a, const at::Tensor& b, double scale = 1);
/// gradient += scale·dyᵀ·x in float32; dy [n, out] and x [n, in] of one type. `first`: gradient =
/// scale·dyᵀ·x, with no pass to clear and none to add.
void addOuter(at::Tensor gradient, const at::Tensor& dy, const at::Tensor& x, bool first, double scale = 1);

}  // namespace adaptive::ops
