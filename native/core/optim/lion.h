#pragma once
#include "core/optim/optimizer.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

/// Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"): each weight moves by the rate in
/// the direction of sign(β₁·m + (1−β₁)·g), then m moves by β₂. The paper's β₂ is 0.99, and its rates are 3 to
/// 10 times below AdamW's.
class Lion : public Optimizer {
 public:
  Lion(std::vector<Parameter*> parameters, OptimizerOptions options, bool inEightBits = false);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<StoredMoment> moment_;
};

}  // namespace adaptive
