// The 8-bit code against the published definition, and its nearest() against a search through all 256 values.
#include "core/optim/dynamic_code.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

/// bitsandbytes.functional.create_dynamic_map(signed, max_exponent_bits=7, total_bits=8), line by line, in
/// float32.
std::vector<float> published(bool isSigned) {
  std::vector<float> data;
  constexpr int exponentBits = 7, nonSignBits = 7;
  for (int i = 0; i < exponentBits; i++) {
    const int exponent = i + nonSignBits - exponentBits + (isSigned ? 0 : 1);
    const int items = static_cast<int>(std::pow(2, exponent)) + 1;
    std::vector<float> boundaries;
    for (int b = 0; b < items; b++)
      boundaries.push_back(0.1f + 0.9f * static_cast<float>(b) / static_cast<float>(items - 1));
    for (int b = 0; b + 1 < items; b++) {
      const float mean = (boundaries[b] + boundaries[b + 1]) / 2;
      const auto value = static_cast<float>(std::pow(10.0, -(exponentBits - 1) + i) * mean);
      data.push_back(value);
      if (isSigned) data.push_back(-value);
    }
  }
  data.push_back(0);
  data.push_back(1);
  std::sort(data.begin(), data.end());
  return data;
}

void checkNearest(const DynamicCode& code, float x) {
  const uint8_t actual = code.nearest(x);
  double least = std::numeric_limits<double>::infinity();
  for (int c = 0; c < 256; c++)
    least = std::min(least, std::abs(static_cast<double>(x) - code.value(static_cast<uint8_t>(c))));
  const double distance = std::abs(static_cast<double>(x) - code.value(actual));
  // Of two neighbours at the same distance either will do; the midpoint itself is rounded to float32.
  check(distance <= least + 2e-7 * std::abs(static_cast<double>(x)),
        c10::str("the nearest value to ", x, ", found code ", static_cast<int>(actual), " = ",
                 code.value(actual)));
}

}  // namespace

TEST("dynamic code: the 256 values are the published ones") {
  for (const bool isSigned : {true, false}) {
    const DynamicCode& code = isSigned ? DynamicCode::withSign() : DynamicCode::withoutSign();
    const auto expected = published(isSigned);
    check(expected.size() == 256, "256 published values");
    for (int c = 0; c < 256; c++)
      checkNear(code.value(static_cast<uint8_t>(c)), expected[c], 2e-7 * std::abs(expected[c]),
                c10::str("value ", c));
  }
  // Worked out by hand.
  checkNear(DynamicCode::withSign().value(0), -0.99296875, 1e-7, "the lowest signed value");
  checkNear(DynamicCode::withSign().value(127), 0, 0, "the middle signed value");
  checkNear(DynamicCode::withSign().value(128), 5.5e-7, 1e-13, "the smallest positive signed value");
  checkNear(DynamicCode::withSign().value(255), 1, 0, "the highest signed value");
  checkNear(DynamicCode::withoutSign().value(0), 0, 0, "the lowest unsigned value");
  checkNear(DynamicCode::withoutSign().value(1), 3.25e-7, 1e-13, "the smallest positive unsigned value");
  checkNear(DynamicCode::withoutSign().value(254), 0.996484375, 1e-7, "the highest unsigned value below 1");
}

TEST("dynamic code: nearest() is the nearest of all values") {
  std::mt19937_64 random(3);
  for (const bool isSigned : {true, false}) {
    const DynamicCode& code = isSigned ? DynamicCode::withSign() : DynamicCode::withoutSign();
    for (int i = 0; i < 50000; i++) {
      const double uniform = static_cast<double>(random() >> 11) * 0x1.0p-53;
      const double magnitude = i % 2 ? uniform : std::pow(10.0, -8 * uniform);
      checkNearest(code, static_cast<float>(isSigned && random() % 2 ? -magnitude : magnitude));
    }
    for (int c = 0; c < 256; c++) {
      const float value = code.value(static_cast<uint8_t>(c));
      check(code.nearest(value) == c, c10::str("every value to be its own code, not so code ", c));
      for (const float x : {std::nextafter(value, -2.f), std::nextafter(value, 2.f)}) checkNearest(code, x);
      if (c == 255) continue;
      const float middle = (value + code.value(static_cast<uint8_t>(c + 1))) / 2;
      for (const float x : {std::nextafter(middle, -2.f), middle, std::nextafter(middle, 2.f)})
        checkNearest(code, x);
    }
    for (const float x : {0.f, -0.f, 1e-45f, -1e-45f, 1e-30f, 1.f, 0x1.fffffep-1f})
      checkNearest(code, isSigned ? x : std::abs(x));
  }
}

TEST("dynamic code: no float gives anything but a code") {
  for (const DynamicCode* code : {&DynamicCode::withSign(), &DynamicCode::withoutSign()}) {
    check(code->nearest(2) == 255 && code->nearest(std::numeric_limits<float>::infinity()) == 255,
          "255 above 1");
    check(code->nearest(-2) == 0 && code->nearest(-std::numeric_limits<float>::infinity()) == 0,
          "0 below −1");
    code->nearest(std::numeric_limits<float>::quiet_NaN());
    code->nearest(-std::numeric_limits<float>::quiet_NaN());
  }
}
