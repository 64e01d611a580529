// What one step of an optimizer takes beside the weight, its gradient and its moments.
#pragma once
#include <cstdint>

namespace adaptive {

struct AdamRates {
  float beta1, beta2;
  float stepSize;       ///< the learning rate times both bias corrections
  float epsilon;        ///< times √(1 − β₂ᵗ)
  float decay;          ///< what the weight is multiplied with first
  float gradientScale;  ///< what the gradient is multiplied with first
};

/// The same of Lion.
struct LionRates {
  float beta1, beta2, learningRate, decay, gradientScale;
};

/// Values that share one scale in the 8-bit moments.
constexpr int64_t kMomentBlock = 256;

}  // namespace adaptive
