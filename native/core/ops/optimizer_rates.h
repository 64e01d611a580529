// What one step of an optimizer takes beside the weight, its gradient and its moments.
#pragma once
#include <cmath>
#include <cstdint>

namespace adaptive {

struct AdamRates {
  float beta1, beta2;
  float stepSize;       ///< the learning rate times both bias corrections
  float epsilon;        ///< times √(1 − β₂ᵗ)
  float decay;          ///< what the weight is multiplied with first
  float gradientScale;  ///< what the gradient is multiplied with first
};

/// What a step of AdamW on several weights is given: the kernels work the rest out.
struct AdamStep {
  double beta1, beta2, epsilon;
  double learningRate;
  double weightDecay;    ///< decoupled
  double gradientScale;  ///< what the gradient is multiplied with first
  int64_t step;          ///< from 1

  /// The same, with the corrections of both moments' bias in the step.
  AdamRates rates() const {
    const double steps = static_cast<double>(step), correction1 = 1 - std::pow(beta1, steps);
    const double correction2 = std::sqrt(1 - std::pow(beta2, steps));
    return {static_cast<float>(beta1),
            static_cast<float>(beta2),
            static_cast<float>(learningRate * correction2 / correction1),
            static_cast<float>(epsilon * correction2),
            static_cast<float>(1 - learningRate * weightDecay),
            static_cast<float>(gradientScale)};
  }
};

/// The same of Lion.
struct LionRates {
  float beta1, beta2, learningRate, decay, gradientScale;
};

/// Values that share one scale in the 8-bit moments.
constexpr int64_t kMomentBlock = 256;

}  // namespace adaptive
