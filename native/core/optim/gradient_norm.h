#pragma once
#include <vector>

#include "core/model/parameter.h"

namespace adaptive {

/// The 2-norm of the gradient of each parameter; 0 where none gathered.
std::vector<double> gradientNorms(const std::vector<Parameter*>& parameters);

/// The 2-norm of all of these together, as torch.nn.utils.get_total_norm.
double totalNorm(const std::vector<double>& norms);

/// What to multiply gradients with so that their norm is at most `maxNorm` (0: no clipping), as
/// torch.nn.utils.clip_grad_norm_.
double clippingScale(double norm, double maxNorm);

}  // namespace adaptive
