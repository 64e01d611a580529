#include "core/ops/logit_gradient.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/ops/ops.h"
#include "core/ops/product.h"

namespace adaptive::ops {

using at::Tensor;

LogitGradient::LogitGradient(Tensor values, double unit) : values_(std::move(values)), unit_(unit) {}

LogitGradient::LogitGradient(Tensor numerators, Tensor scales, Tensor labels, Tensor ints, double unit)
    : values_(std::move(numerators)),
      scales_(std::move(scales)),
      labels_(std::move(labels)),
      ints_(std::move(ints)),
      unit_(unit) {}

Tensor LogitGradient::idsOf(int64_t scale) const {
  return (scale == 1 ? labels_ : ints_.select(1, 1)).to(at::kLong);
}

void LogitGradient::timesInto(Tensor target, const Tensor& matrix) const {
  if (isWhole() && unit_ == 1) return productInto(target, values_, matrix);
  Tensor product = at::empty(target.sizes(), target.options().dtype(at::kFloat));
  productInto(product, values_, matrix);
  target.copy_(isWhole() ? product.mul_(unit_) : fromNumerators(product, matrix, scales_, labels_, ints_));
}

Tensor LogitGradient::scaled(const Tensor& x) const {
  if (isWhole()) return x;
  return (scales_.narrow(1, 0, 1) / unit_ * x).to(x.scalar_type());
}

std::vector<LogitGradient::Points> LogitGradient::points(const Tensor& x) const {
  if (isWhole()) return {};
  const auto at = [&](int64_t scale) { return Points{idsOf(scale), scales_.narrow(1, scale, 1) * x}; };
  return {at(1), at(2)};
}

LogitGradient LogitGradient::columns(const Tensor& ids) const {
  const Tensor chosen = values_.index_select(1, ids);
  if (isWhole()) return {chosen, unit_};
  Tensor gradient = chosen * scales_.narrow(1, 0, 1);
  for (const int64_t scale : {1, 2})
    gradient.add_(idsOf(scale).unsqueeze(1).eq(ids.unsqueeze(0)) * scales_.narrow(1, scale, 1));
  return {gradient.div_(unit_).to(values_.scalar_type()), unit_};
}

Tensor LogitGradient::sum() const {
  if (isWhole()) {
    const Tensor sum = values_.sum(0, /*keepdim=*/false, at::kFloat);
    return unit_ == 1 ? sum : sum * unit_;
  }
  const Tensor ones = at::ones({values_.size(0), 1}, values_.options());
  Tensor sum = at::empty({values_.size(1), 1}, values_.options().dtype(at::kFloat));
  addOuter(sum, values_, scaled(ones), /*first=*/true, unit_);
  for (const auto& [ids, rows] : points(ones)) addRows_(sum, ids, rows, 1);
  return sum.squeeze(1);
}

}  // namespace adaptive::ops
