#pragma once
#include "core/optim/optimizer.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

/// AdEMAMix (Pagliardini et al. 2024, "The AdEMAMix optimizer: better, faster, older", algorithm 1): AdamW
/// with a second, much slower mean of gradients, m₂ by β₃, of which α times is added to the corrected first
/// one. With `alphaWarmup`, α rises evenly from 0 over so many steps, with `beta3Warmup` β₃ from β₁, as in
/// its §3.
class AdEmaMix : public Optimizer {
 public:
  AdEmaMix(std::vector<Parameter*> parameters, OptimizerOptions options, bool inEightBits = false);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  std::vector<StoredMoment> fast_, slow_, squares_;
};

}  // namespace adaptive
