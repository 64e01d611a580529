#include "core/optim/gradient_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace adaptive {

double gradientNorm(const std::vector<Parameter*>& parameters) {
  double squares = 0;
  for (const Parameter* parameter : parameters) {
    const at::Tensor gradient = parameter->gradient();
    if (!gradient.defined()) continue;
    const double norm = at::linalg_vector_norm(gradient).item<double>();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

double clippingScale(double norm, double maxNorm) {
  return maxNorm > 0 ? std::min(1.0, maxNorm / (norm + 1e-6)) : 1.0;
}

}  // namespace adaptive
