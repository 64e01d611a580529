#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW (Loshchilov & Hutter 2019) by libtorch's fused kernel: one pass over memory per parameter, the
/// gradient scaled on the way.
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Parameter*> parameters, OptimizerOptions options);
  void step(double learningRate, double gradientScale) override;
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 private:
  std::vector<at::Tensor> moment1_, moment2_;
};

}  // namespace adaptive
