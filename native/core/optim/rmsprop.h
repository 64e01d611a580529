#pragma once
#include "core/optim/optimizer.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

/// torch.optim.RMSprop: s = α·s + (1−α)·g² with g += weightDecay·w, then w −= rate·g/(√s + ε); with momentum
/// v = momentum·v + g/(√s + ε), w −= rate·v. Centred, √(s − a²) stands for √s, with a = α·a + (1−α)·g.
class Rmsprop : public Optimizer {
 public:
  Rmsprop(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<StoredMoment> squares_, momentum_, means_;  ///< momentum_ and means_ are empty without
};

}  // namespace adaptive
