// What every optimizer shares: it moves the float32 masters of a fixed list of parameters by their gathered
// gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/parameter.h"

namespace adaptive {

struct OptimizerOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weightDecay = 0;  ///< decoupled; biases and norm weights are spared
};

class Optimizer {
 public:
  Optimizer(std::vector<Parameter*> parameters, OptimizerOptions options)
      : parameters_(std::move(parameters)), options_(options) {}
  virtual ~Optimizer() = default;

  /// Moves every parameter that has a gradient; the gradient is taken times `gradientScale` (clipping).
  virtual void step(double learningRate, double gradientScale) = 0;

  /// Everything that has to survive a restart, as named tensors. They share memory with the optimizer:
  /// copying into them restores it.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() = 0;
  int64_t steps() const { return steps_; }
  void setSteps(int64_t steps) { steps_ = steps; }

 protected:
  std::vector<Parameter*> parameters_;
  OptimizerOptions options_;
  int64_t steps_ = 0;
};

/// "adamw" or "adamw_8bit". Errors: NOT_AVAILABLE for any other name.
std::unique_ptr<Optimizer> makeOptimizer(const std::string& name, std::vector<Parameter*> parameters,
                                         OptimizerOptions options);

}  // namespace adaptive
