#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW (Loshchilov & Hutter 2019): one pass over memory per tensor, the gradient scaled on the way.
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void updateAll(const std::vector<Update>& updates) override;
  void update(const Update& update) override { updateAll({update}); }
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<at::Tensor> moment1_, moment2_;
};

}  // namespace adaptive
