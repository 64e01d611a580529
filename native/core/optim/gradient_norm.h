#pragma once
#include <vector>

#include "core/model/parameter.h"

namespace adaptive {

/// The 2-norm of all gathered gradients together, as torch.nn.utils.get_total_norm.
double gradientNorm(const std::vector<Parameter*>& parameters);

/// What to multiply gradients with so that their norm is at most `maxNorm` (0: no clipping), as
/// torch.nn.utils.clip_grad_norm_.
double clippingScale(double norm, double maxNorm);

}  // namespace adaptive
