#include "core/optim/lion.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/cpu/kernels.h"
#include "core/optim/float_slabs.h"

namespace adaptive {

Lion::Lion(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options), moment_(zerosForSlots()) {}

void Lion::update(const Update& u) {
  const cpu::LionRates rates = {static_cast<float>(options().beta1), static_cast<float>(options().beta2),
                                static_cast<float>(u.learningRate),
                                static_cast<float>(1 - u.learningRate * u.weightDecay),
                                static_cast<float>(u.gradientScale)};
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t first, int64_t count) {
    float *w = weight.data_ptr<float>(), *m = moment_[u.slot].data_ptr<float>() + first;
    const float* g = u.gradient.const_data_ptr<float>() + first;
    at::parallel_for(0, count, 32768, [&](int64_t begin, int64_t end) {
      cpu::optimizerKernels().lion(w + begin, g + begin, m + begin, end - begin, rates);
    });
  });
}

std::vector<std::pair<std::string, at::Tensor>> Lion::state() { return named(".exp_avg", moment_); }

}  // namespace adaptive
