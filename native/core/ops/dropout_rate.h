#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace adaptive {

/// A share of entries that is dropped, as RandomKernels::dropout takes it.
struct DropoutRate {
  explicit DropoutRate(double rate)
      : threshold(static_cast<uint32_t>(std::min(std::round(rate * 0x1p32), 0x1p32 - 1))),
        scale(rate < 1 ? static_cast<float>(1 / (1 - rate)) : 0.f) {}
  uint32_t threshold;
  float scale;  ///< what is kept is multiplied with this
};

}  // namespace adaptive
