#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW (Loshchilov & Hutter 2019): one pass over memory per tensor, the gradient scaled on the way.
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Parameter*> parameters, OptimizerOptions options);
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 protected:
  void updateAll(const std::vector<Update>& updates) override;
  void update(const Update& update) override { updateAll({update}); }

 private:
  std::vector<at::Tensor> moment1_, moment2_;
};

}  // namespace adaptive
