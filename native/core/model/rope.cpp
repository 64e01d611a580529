#include "core/model/rope.h"

#include "core/error.h"

namespace adaptive {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

/// Llama 3.1: wavelengths beyond the original context are slowed by `factor`, short ones kept, the middle
/// blended.
double llama3Frequency(double frequency, const RopeConfig& rope) {
  const double wavelength = kTwoPi / frequency;
  const double longest = rope.originalMaxPositions / rope.lowFrequencyFactor;
  const double shortest = rope.originalMaxPositions / rope.highFrequencyFactor;
  if (wavelength > longest) return frequency / rope.factor;
  if (wavelength < shortest) return frequency;
  const double blend = (rope.originalMaxPositions / wavelength - rope.lowFrequencyFactor) /
                       (rope.highFrequencyFactor - rope.lowFrequencyFactor);
  return (1 - blend) * frequency / rope.factor + blend * frequency;
}

}  // namespace

std::vector<float> ropeFrequencies(const RopeConfig& rope, int64_t headDim) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < headDim; i += 2) {
    const double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(headDim));
    if (rope.type == "default") {
      frequencies.push_back(static_cast<float>(frequency));
    } else if (rope.type == "linear") {
      frequencies.push_back(static_cast<float>(frequency / rope.factor));
    } else if (rope.type == "llama3") {
      frequencies.push_back(static_cast<float>(llama3Frequency(frequency, rope)));
    } else {
      fail("MODEL_UNSUPPORTED", "Expected rope type default, linear or llama3, found \"", rope.type, "\".");
    }
  }
  return frequencies;
}

Rotation rotationOf(const std::vector<float>& frequencies, const at::Tensor& positions) {
  const at::Tensor inverse = at::tensor(frequencies, at::kFloat).to(positions.device());
  const at::Tensor angles = at::outer(positions.to(at::kFloat), inverse);
  return {angles.cos(), angles.sin()};
}

}  // namespace adaptive
