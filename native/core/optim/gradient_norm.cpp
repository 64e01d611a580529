#include "core/optim/gradient_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace adaptive {

double gradientNorm(const std::vector<Parameter*>& parameters) {
  std::vector<at::Tensor> gradients;
  for (const Parameter* parameter : parameters) {
    const at::Tensor gradient = parameter->gradient();
    if (gradient.defined()) gradients.push_back(gradient);
  }
  if (gradients.empty()) return 0;
  // All norms come to the host at once: each way to it waits for the device.
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients)).cpu();
  double squares = 0;
  for (const float norm : at::ArrayRef<float>(norms.const_data_ptr<float>(), norms.numel()))
    squares += static_cast<double>(norm) * norm;
  return std::sqrt(squares);
}

double clippingScale(double norm, double maxNorm) {
  return maxNorm > 0 ? std::min(1.0, maxNorm / (norm + 1e-6)) : 1.0;
}

}  // namespace adaptive
