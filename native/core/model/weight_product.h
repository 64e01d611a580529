// Products with a weight as a layer has it. One that is quantised becomes floats a tile at a time, so that no
// copy of it stands in memory.
#pragma once
#include "core/model/parameter.h"

namespace adaptive {

/// Rows of a weight.
struct WeightRows {
  int64_t first, count;
};
WeightRows allRows(const Parameter& weight);

/// y [n, rows] += x·weightᵀ; x [n, inputs] and y in the type that is computed in.
void addForward(at::Tensor y, const at::Tensor& x, const Parameter& weight, const WeightRows& rows);
/// x·weightᵀ [n, rows].
at::Tensor forwardProduct(const at::Tensor& x, const Parameter& weight, const WeightRows& rows);
/// dy·weight [n, inputs]; dy [n, rows].
at::Tensor backwardProduct(const at::Tensor& dy, const Parameter& weight, const WeightRows& rows);

}  // namespace adaptive
