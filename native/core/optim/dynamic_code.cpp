#include "core/optim/dynamic_code.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace adaptive {

const DynamicCode& DynamicCode::withSign() {
  static const DynamicCode code(true);
  return code;
}

const DynamicCode& DynamicCode::withoutSign() {
  static const DynamicCode code(false);
  return code;
}

DynamicCode::DynamicCode(bool isSigned) {
  // Seven decades; decade i is cut linearly into 2^i fractions (twice as many when no code is spent on the
  // sign).
  std::vector<double> values = {0.0, 1.0};
  constexpr int decades = 7;
  for (int i = 0; i < decades; i++) {
    const int fractions = 1 << (isSigned ? i : i + 1);
    const double unit = std::pow(10.0, i - (decades - 1)), width = 0.9 / fractions;
    for (int f = 0; f < fractions; f++) {
      const double value = unit * (0.1 + width * (f + 0.5));
      values.push_back(value);
      if (isSigned) values.push_back(-value);
    }
  }
  std::sort(values.begin(), values.end());
  std::transform(values.begin(), values.end(), values_.begin(),
                 [](double v) { return static_cast<float>(v); });
  for (size_t i = 0; i < midpoints_.size(); i++) midpoints_[i] = (values_[i] + values_[i + 1]) / 2;
  for (uint32_t bucket = 0; bucket < start_.size(); bucket++) {
    // The end of the bucket nearer to −∞: codes only grow from there.
    const bool negative = bucket & (1u << (31 - kShift));
    const uint32_t bits = (bucket << kShift) | (negative ? (1u << kShift) - 1 : 0u);
    const float lowest = std::bit_cast<float>(bits);
    start_[bucket] =
        std::isnan(lowest)
            ? 0
            : static_cast<uint8_t>(std::lower_bound(midpoints_.begin(), midpoints_.end(), lowest) -
                                   midpoints_.begin());
  }
}

uint8_t DynamicCode::nearest(float x) const {
  uint32_t code = start_[std::bit_cast<uint32_t>(x) >> kShift];
  while (code < 255 && x > midpoints_[code]) code++;
  return static_cast<uint8_t>(code);
}

}  // namespace adaptive
