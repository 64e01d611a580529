// Products of matrices as at::mm gives them. Those of bfloat16 go by way of float32 where the CPU has no
// instructions for bfloat16: libtorch's own are slower there, up to 90 times.
#pragma once
#include <ATen/core/Tensor.h>

namespace adaptive::ops {

/// The type that products of tensors like this one are computed in: float32 where bfloat16 goes by way of it.
at::ScalarType productType(const at::Tensor& a);
/// Up to so many rows are multiplied with the transpose of a matrix so that none depends on the others.
constexpr int64_t kThinRows = 32;
/// a·b [n, m] for a [n, k] and b [k, m] of one type. Sums are float32, rounded once.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
/// out [n, m] = a·b.
void productInto(at::Tensor out, const at::Tensor& a, const at::Tensor& b);
/// out [n, m] += scale·a·b.
void addProduct(at::Tensor out, const at::Tensor& a, const at::Tensor& b, double scale = 1);

}  // namespace adaptive::ops
