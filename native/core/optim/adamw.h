#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW (Loshchilov & Hutter 2019) by libtorch's fused kernel: one pass over memory per tensor, the gradient
/// scaled on the way.
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Parameter*> parameters, OptimizerOptions options);
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 protected:
  void update(const Update& update) override;

 private:
  std::vector<at::Tensor> moment1_, moment2_;
};

}  // namespace adaptive
