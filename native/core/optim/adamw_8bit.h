#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW with both moments in 8 bits: blocks of 256 values share one float32 scale (Dettmers et al. 2022; the
/// layout of bitsandbytes). Tensors of fewer than 4,096 values keep float32 moments, as there. The moments of
/// a block are unpacked, moved and packed again in one sweep (ops::adamw8bit_).
class AdamW8bit : public Optimizer {
 public:
  AdamW8bit(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  void updateFloat(const Update& update);
  void updateBlocks(const Update& update);

  /// By slot: float32 when small, else codes, with one scale per block.
  std::vector<at::Tensor> moment1_, moment2_, scale1_, scale2_;
};

}  // namespace adaptive
