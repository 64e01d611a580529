#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"): each weight moves by the rate in
/// the direction of sign(β₁·m + (1−β₁)·g), then m moves by β₂. One pass over memory per tensor. The paper's
/// β₂ is 0.99, and its rates are 3 to 10 times below AdamW's.
class Lion : public Optimizer {
 public:
  Lion(std::vector<Parameter*> parameters, OptimizerOptions options);
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 protected:
  void update(const Update& update) override;

 private:
  std::vector<at::Tensor> moment_;
};

}  // namespace adaptive
