#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// torch.optim.SGD: v = momentum·v + (1−dampening)·g with g += weightDecay·w, then w −= rate·v; without
/// momentum no state is kept. The first step is not dampened; nesterov moves by g + momentum·v. By libtorch's
/// fused kernel, one pass over memory per tensor.
class Sgd : public Optimizer {
 public:
  Sgd(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<at::Tensor> momentum_;  ///< empty without momentum
};

}  // namespace adaptive
