#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// AdamW with both moments in 8 bits: blocks of 256 values share one float32 scale (Dettmers et al. 2022; the
/// layout of bitsandbytes). Tensors of fewer than 4,096 values keep float32 moments, as there. The moments of
/// a block are unpacked, moved and packed again in one sweep.
class AdamW8bit : public Optimizer {
 public:
  AdamW8bit(std::vector<Parameter*> parameters, OptimizerOptions options);
  void step(double learningRate, double gradientScale) override;
  std::vector<std::pair<std::string, at::Tensor>> state() override;

 private:
  /// The moments of one Hugging Face tensor: float32 when small, else codes and one scale per block.
  struct Moments {
    at::Tensor moment1, moment2, scale1, scale2;
  };
  struct Rates {
    double stepSize, epsilon, decay, gradientScale;
  };

  void stepFloat(float* weight, const float* gradient, Moments& moments, int64_t count,
                 const Rates& rates) const;
  void stepBlocks(float* weight, const float* gradient, Moments& moments, int64_t count,
                  const Rates& rates) const;

  std::vector<std::vector<Moments>> moments_;  ///< [parameter][part]
};

}  // namespace adaptive
