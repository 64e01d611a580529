#pragma once
#include <cstdint>

namespace adaptive {

/// Dynamic loss scaling for computing in float16, by the rules and defaults of torch.amp.GradScaler: the loss
/// is multiplied so that small gradients do not vanish; a step whose gradients overflow is skipped and halves
/// the scale; 2,000 good steps in a row double it. float32 and bfloat16 have the range and need none.
class GradScaler {
 public:
  struct State {
    double scale = 65536;
    int64_t goodSteps = 0;  ///< since the last change of the scale
  };
  GradScaler() = default;
  /// Errors: INVALID_INPUT for a state that no scaler has.
  explicit GradScaler(const State& state);

  /// What the loss, and so every gradient, is multiplied with.
  double scale() const { return state_.scale; }
  /// Everything that has to survive a restart.
  const State& state() const { return state_; }

  /// Called once per step with the norm of the scaled gradients. True: take the step, with gradients times
  /// 1 / scale() as it was; false: skip it.
  bool update(double scaledNorm);

 private:
  State state_;
};

}  // namespace adaptive
