// The 256 values of the 8-bit dynamic data type, and the nearest of them (Dettmers et al. 2022, "8-bit
// optimizers via block-wise quantization", §2.2).
#pragma once
#include <array>
#include <cstdint>

namespace adaptive {

class DynamicCode {
 public:
  static const DynamicCode& withSign();
  static const DynamicCode& withoutSign();

  float value(uint8_t code) const { return values_[code]; }
  /// The code whose value is nearest to x in [−1, 1].
  uint8_t nearest(float x) const;

 private:
  explicit DynamicCode(bool isSigned);

  std::array<float, 256> values_;     ///< ascending
  std::array<float, 255> midpoints_;  ///< between neighbours
  static constexpr int kShift = 18;   ///< sign, exponent and five bits of mantissa pick a starting point
  std::array<uint8_t, (1u << (32 - kShift))> start_;
};

}  // namespace adaptive
