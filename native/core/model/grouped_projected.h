#pragma once
#include "core/model/decoder_layer.h"

namespace adaptive {

/// y = x·weight[e]ᵀ (+ bias[e]) in the rows of each expert e, in the dtype of the compute weights. x [rows,
/// in], weights [experts, out, in]; firstRow as in ExpertGroups. An expert without rows is not touched.
/// `adapts`: with what an adapter adds.
at::Tensor groupedProjected(const at::Tensor& x, const Projection& experts,
                            const std::vector<int64_t>& firstRow, bool adapts);

}  // namespace adaptive
