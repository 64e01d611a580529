#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// torch.optim.SGD without dampening: v = momentum·v + (g + weightDecay·w), w −= rate·v; without momentum no
/// state is kept. By libtorch's fused kernel, one pass over memory per tensor.
class Sgd : public Optimizer {
 public:
  Sgd(std::vector<Parameter*> parameters, OptimizerOptions options);
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 protected:
  void update(const Update& update) override;

 private:
  std::vector<at::Tensor> momentum_;  ///< empty without momentum
};

}  // namespace adaptive
