#pragma once
#include "core/optim/optimizer.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

/// torch.optim.Adagrad (Duchi et al. 2011): s += g² with g += weightDecay·w, then
/// w −= rate/(1 + (t − 1)·lrDecay)·g/(√s + ε) at step t.
class Adagrad : public Optimizer {
 public:
  Adagrad(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<StoredMoment> sums_;
};

}  // namespace adaptive
