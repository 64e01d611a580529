// Checks of numbers where they enter core: whatever is used as an index, a length or a size is looked at
// once, there.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/error.h"

namespace adaptive {

/// The largest size of one dimension: ids and ranks are int32.
constexpr int64_t kLargestSize = std::numeric_limits<int32_t>::max();

/// Errors: `code`, "Expected <expected> for <name>, found <found>.", unless `holds`.
template <class Found, class... Expected>
void expectThat(const char* code, bool holds, const std::string& name, const Found& found,
                const Expected&... expected) {
  if (!holds) fail(code, "Expected ", expected..., " for ", name, ", found ", found, ".");
}

/// Errors: `code` unless value is in [least, most].
inline void expectInteger(const std::string& name, int64_t value, int64_t least, int64_t most,
                          const char* code = "INVALID_INPUT") {
  expectThat(code, value >= least && value <= most, name, value, "a whole number from ", least, " to ", most);
}

/// Neither NaN nor infinity, also once it is a float32.
inline bool isFiniteFloat(double value) {
  return std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
}

/// Errors: `code` for NaN, infinity and what float32 does not hold.
inline void expectFinite(const std::string& name, double value, const char* code = "INVALID_INPUT") {
  expectThat(code, isFiniteFloat(value), name, value, "a finite number of float32's range");
}

/// Errors: `code` unless value is finite and 0 or more.
inline void expectNotNegative(const std::string& name, double value, const char* code = "INVALID_INPUT") {
  expectThat(code, isFiniteFloat(value) && value >= 0, name, value, "a finite number of 0 or more");
}

/// Errors: `code` unless value is finite and above 0.
inline void expectPositive(const std::string& name, double value, const char* code = "INVALID_INPUT") {
  expectThat(code, isFiniteFloat(value) && value > 0, name, value, "a finite number above 0");
}

}  // namespace adaptive
