#pragma once
#include "core/ops/logit_gradient.h"

namespace adaptive::test {

/// sum += dLogitsᵀ·inputs in float64 on the host, as a head gathers it.
inline void addOuter(at::Tensor& sum, const ops::LogitGradient& dLogits, const at::Tensor& inputs) {
  const auto wide = [](const at::Tensor& x) { return x.cpu().to(at::kDouble); };
  sum.addmm_(wide(dLogits.values()).t(), wide(dLogits.scaled(inputs)), 1, dLogits.unit());
  for (const auto& [ids, rows] : dLogits.points(inputs)) sum.index_add_(0, ids.cpu(), wide(rows));
}

}  // namespace adaptive::test
