#pragma once
#include "core/optim/optimizer.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

/// torch.optim.Adagrad (Duchi et al. 2011) with its ε of 1e-10 and without a decay of the rate: s += g² with
/// g += weightDecay·w, then w −= rate·g/(√s + ε).
class Adagrad : public Optimizer {
 public:
  Adagrad(std::vector<Parameter*> parameters, OptimizerOptions options);
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 protected:
  void update(const Update& update) override;

 private:
  std::vector<StoredMoment> sums_;
};

}  // namespace adaptive
