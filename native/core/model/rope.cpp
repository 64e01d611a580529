#include "core/model/rope.h"

#include <ATen/ATen.h>

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

/// YaRN (Peng et al. 2023): pairs that turn often within the original context are kept, those that turn
/// seldom slowed by `factor`, with a ramp between.
struct YarnRamp {
  double low, high;

  explicit YarnRamp(const RopeConfig& rope) {
    low = pairWithTurns(rope, rope.betaFast), high = pairWithTurns(rope, rope.betaSlow);
    if (rope.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, static_cast<double>(rope.dims - 1));
    if (low == high) high += 0.001;
  }
  /// The pair of entries that turns `turns` times within the original context.
  static double pairWithTurns(const RopeConfig& rope, double turns) {
    return static_cast<double>(rope.dims) * std::log(rope.originalMaxPositions / (turns * kTwoPi)) /
           (2 * std::log(rope.theta));
  }
  double slowed(int64_t pair) const {
    return std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  }
};

/// Dynamic NTK: θ grows once a row is longer than the original context.
double dynamicTheta(const RopeConfig& rope, int64_t length) {
  const double stretch = rope.factor * std::max(static_cast<double>(length), rope.originalMaxPositions) /
                             rope.originalMaxPositions -
                         (rope.factor - 1);
  const auto dims = static_cast<double>(rope.dims);
  return rope.theta * std::pow(stretch, dims / (dims - 2));
}

double stretched(double frequency, int64_t pair, const RopeConfig& rope, int64_t length) {
  if (rope.type == "default" || rope.type == "dynamic") return frequency;
  if (rope.type == "linear") return frequency / rope.factor;
  if (rope.type == "llama3") return llama3Frequency(frequency, rope);
  if (rope.type == "yarn") {
    const double slowed = YarnRamp(rope).slowed(pair);
    return frequency / rope.factor * slowed + frequency * (1 - slowed);
  }
  if (rope.type == "longrope") {
    const bool isLong = static_cast<double>(length) > rope.originalMaxPositions;
    return frequency / (isLong ? rope.longFactors : rope.shortFactors).at(pair);
  }
  fail("MODEL_UNSUPPORTED", "Expected rope type default, linear, dynamic, llama3, yarn or longrope, found \"",
       rope.type, "\".");
}

}  // namespace

std::vector<float> ropeFrequencies(const RopeConfig& rope, int64_t length) {
  const double theta = rope.type == "dynamic" ? dynamicTheta(rope, length) : rope.theta;
  std::vector<float> frequencies;
  for (int64_t pair = 0; 2 * pair < rope.dims; pair++) {
    const double exponent = static_cast<double>(2 * pair) / static_cast<double>(rope.dims);
    frequencies.push_back(static_cast<float>(stretched(std::pow(theta, -exponent), pair, rope, length)));
  }
  return frequencies;
}

Positions::Positions(const std::vector<RopeConfig>& ropes, const std::vector<PositionRange>& rows) {
  if (ropes.empty()) return;
  bool byRow = false;
  for (const RopeConfig& config : ropes) {
    Rope rope = {config, config.type == "dynamic" || config.type == "longrope", {}};
    for (const PositionRange& row : rows) {
      if (!rope.byRow && !rope.frequencies.empty()) break;
      const std::vector<float> own = ropeFrequencies(config, row.first + row.count);
      rope.frequencies.insert(rope.frequencies.end(), own.begin(), own.end());
    }
    byRow = byRow || rope.byRow;
    ropes_.push_back(std::move(rope));
  }
  for (size_t row = 0; row < rows.size(); row++) {
    for (int64_t i = 0; i < rows[row].count; i++)
      positions_.push_back(static_cast<float>(rows[row].first + i));
    if (byRow) rows_.insert(rows_.end(), rows[row].count, static_cast<int64_t>(row));
  }
}

void Positions::addTo(Upload& upload) {
  if (ropes_.empty()) return;
  upload.add(positions_, positionsThere_);
  if (!rows_.empty()) upload.add(rows_, rowsThere_);
  for (Rope& rope : ropes_) upload.add(rope.frequencies, rope.there);
}

std::vector<Rotation> Positions::rotations() const {
  std::vector<Rotation> all;
  for (const Rope& rope : ropes_) {
    at::Tensor frequencies = rope.there.view({-1, rope.config.dims / 2});
    if (rope.byRow) frequencies = frequencies.index_select(0, rowsThere_);
    at::Tensor angles = positionsThere_.unsqueeze(1) * frequencies;
    at::Tensor cos = angles.cos(), sin = angles.sin_();
    if (rope.config.attentionFactor != 1)
      cos.mul_(rope.config.attentionFactor), sin.mul_(rope.config.attentionFactor);
    all.push_back({cos, sin, rope.config.interleaved});
  }
  return all;
}

}  // namespace adaptive
