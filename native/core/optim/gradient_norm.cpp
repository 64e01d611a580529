#include "core/optim/gradient_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace adaptive {

std::vector<double> gradientNorms(const std::vector<Parameter*>& parameters) {
  std::vector<double> all(parameters.size());
  std::vector<at::Tensor> gradients;
  std::vector<size_t> places;
  for (size_t i = 0; i < parameters.size(); i++) {
    const at::Tensor gradient = parameters[i]->gradient();
    if (!gradient.defined()) continue;
    gradients.push_back(gradient);
    places.push_back(i);
  }
  if (gradients.empty()) return all;
  // All norms come to the host at once: each way to it waits for the device.
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients)).cpu();
  for (size_t i = 0; i < places.size(); i++) all[places[i]] = norms.const_data_ptr<float>()[i];
  return all;
}

double totalNorm(const std::vector<double>& norms) {
  double squares = 0;
  for (const double norm : norms) squares += norm * norm;
  return std::sqrt(squares);
}

double clippingScale(double norm, double maxNorm) {
  return maxNorm > 0 ? std::min(1.0, maxNorm / (norm + 1e-6)) : 1.0;
}

}  // namespace adaptive
