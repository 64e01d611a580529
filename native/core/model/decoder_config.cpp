#include "core/model/decoder_config.h"

#include <algorithm>
#include <string>

#include "core/expect.h"
#include "core/model/weight_names.h"

namespace adaptive {
namespace {

constexpr const char* kCode = "MODEL_CONFIG_INVALID";
constexpr int64_t kMostLayers = 10000, kMostPositions = int64_t{1} << 24, kMostExperts = 1 << 16,
                  kMostExpertsInAll = 1 << 20;
/// What no machine has: sizes of tensors stay far from overflow.
constexpr double kMostBytes = 1ull << 46;

void expectSize(const std::string& name, int64_t value) {
  expectInteger(name, value, 1, kLargestSize, kCode);
}

void checkFactors(const std::string& name, const std::vector<double>& factors, int64_t pairs) {
  expectThat(kCode, static_cast<int64_t>(factors.size()) == pairs, name, factors.size(), pairs,
             " numbers, one for each rotated pair,");
  for (size_t i = 0; i < factors.size(); i++)
    expectPositive(name + "[" + std::to_string(i) + "]", factors[i], kCode);
}

void checkRope(const std::string& at, const RopeConfig& rope, int64_t headDim) {
  const auto& type = rope.type;
  const bool isStretched =
      type == "linear" || type == "dynamic" || type == "llama3" || type == "yarn" || type == "longrope";
  if (!isStretched && type != "default") {
    fail("MODEL_UNSUPPORTED", "Expected default, linear, dynamic, llama3, yarn or longrope for ", at,
         "type, found \"", type, "\".");
  }
  expectThat(kCode, rope.dims >= 2 && rope.dims % 2 == 0 && rope.dims <= headDim, at + "dims", rope.dims,
             "an even number from 2 to headDim (", headDim, ")");
  expectPositive(at + "theta", rope.theta, kCode);
  expectFinite(at + "attentionFactor", rope.attentionFactor, kCode);
  if (!isStretched) return;
  expectPositive(at + "factor", rope.factor, kCode);
  if (type != "linear") expectPositive(at + "originalMaxPositions", rope.originalMaxPositions, kCode);
  if (type == "llama3") {
    expectPositive(at + "lowFrequencyFactor", rope.lowFrequencyFactor, kCode);
    expectThat(kCode,
               std::isfinite(rope.highFrequencyFactor) && rope.highFrequencyFactor > rope.lowFrequencyFactor,
               at + "highFrequencyFactor", rope.highFrequencyFactor, "a finite number above ",
               rope.lowFrequencyFactor, " (lowFrequencyFactor)");
  }
  if (type == "yarn") {
    expectThat(kCode, rope.theta != 1, at + "theta", rope.theta, "a number other than 1, with yarn,");
    expectPositive(at + "betaFast", rope.betaFast, kCode);
    expectPositive(at + "betaSlow", rope.betaSlow, kCode);
  }
  if (type == "longrope") {
    checkFactors(at + "shortFactors", rope.shortFactors, rope.dims / 2);
    checkFactors(at + "longFactors", rope.longFactors, rope.dims / 2);
  }
}

void checkLayers(const DecoderConfig& c) {
  expectInteger("the number of layers", c.layers(), 1, kMostLayers, kCode);
  for (size_t i = 0; i < c.ropes.size(); i++)
    checkRope("ropes[" + std::to_string(i) + "].", c.ropes[i], c.headDim);
  for (int64_t i = 0; i < c.layers(); i++) {
    const LayerConfig& layer = c.layerConfigs[i];
    const std::string at = "layers[" + std::to_string(i) + "].";
    expectInteger(at + "rope", layer.rope, -1, static_cast<int64_t>(c.ropes.size()) - 1, kCode);
    expectInteger(at + "window", layer.window, 0, kLargestSize, kCode);
    expectFinite(at + "attentionScale", layer.attentionScale, kCode);
  }
}

void checkRouting(const DecoderConfig& c, const WeightNames& names) {
  const RoutingConfig& routing = c.routing;
  const bool isRouted = std::any_of(c.layerConfigs.begin(), c.layerConfigs.end(),
                                    [](const auto& layer) { return layer.routed; });
  if (!isRouted) return;
  expectThat(kCode, !names.router.empty() && c.gated, "layers with experts", c.names,
             "names for their weights");
  expectInteger("routing.experts", routing.experts, 1, kMostExperts, kCode);
  expectInteger("the number of experts in all layers", routing.experts * c.layers(), 1, kMostExpertsInAll,
                kCode);
  expectInteger("routing.active", routing.active, 1, routing.experts, kCode);
  expectSize("routing.intermediateSize", routing.intermediateSize);
  expectInteger("routing.sharedSize", routing.sharedSize, 0, names.sharedGateUp.empty() ? 0 : kLargestSize,
                kCode);
}

/// What only some tables of names, or other entries, allow.
void checkForms(const DecoderConfig& c, const WeightNames& names) {
  expectThat(kCode, c.gated || names.gateUp.size() == 1, "gated", "false", "true, as ", c.names,
             " stores a gate,");
  expectThat(kCode, c.headNorm == HeadNorm::None || !names.qNorm.empty(), "headNorm", "one", "none, as ",
             c.names, " has no names for its weights,");
  expectThat(kCode, !c.qkvByHead || (names.qkv.size() == 1 && c.heads == c.kvHeads), "qkvByHead", "true",
             "false, as queries, keys and values are no equal parts of one projection,");
  expectThat(kCode, c.layerNorm || (c.normWeight && !c.normBias), "normWeight and normBias", "others",
             "a weight and no bias, with RMSNorm,");
  expectThat(kCode, c.normWeight || !c.normBias, "normBias", "true", "false, without a weight,");
  expectThat(kCode, c.parallelResidual || !c.sharedNorm, "sharedNorm", "true",
             "false, without parallelResidual,");
}

void checkNumbers(const DecoderConfig& c) {
  expectNotNegative("normEps", c.normEps, kCode);
  expectFinite("normOffset", c.normOffset, kCode);
  expectFinite("embeddingScale", c.embeddingScale, kCode);
  expectFinite("residualScale", c.residualScale, kCode);
  expectFinite("logitsScale", c.logitsScale, kCode);
  expectNotNegative("qkvClip", c.qkvClip, kCode);
  expectNotNegative("attentionCap", c.attentionCap, kCode);
  expectNotNegative("logitsCap", c.logitsCap, kCode);
  expectFinite("embeddingNoiseScale", c.embeddingNoiseScale, kCode);
  const auto expectShare = [](const char* name, double share) {
    expectThat(kCode, share >= 0 && share <= 1, name, share, "a number from 0 to 1");
  };
  expectShare("attentionDropout", c.attentionDropout);
  expectShare("residualDropout", c.residualDropout);
  expectShare("embeddingDropout", c.embeddingDropout);
}

/// In float64: sizes are below 2^31, so that nothing overflows.
double bytesOfWeights(const DecoderConfig& c) {
  const auto hidden = static_cast<double>(c.hiddenSize), inner = static_cast<double>(c.intermediateSize);
  const double heads = static_cast<double>(2 * c.heads + 2 * c.kvHeads) * static_cast<double>(c.headDim);
  const RoutingConfig& routing = c.routing;
  const auto routed = static_cast<double>(
      std::count_if(c.layerConfigs.begin(), c.layerConfigs.end(), [](const auto& l) { return l.routed; }));
  const double experts =
      static_cast<double>(routing.experts) * static_cast<double>(routing.intermediateSize) +
      static_cast<double>(routing.sharedSize);
  const double tables = static_cast<double>(2 * c.vocabSize + c.maxPositions) * hidden;
  const auto layers = static_cast<double>(c.layers());
  return 4 * (tables + hidden * (layers * heads + 3 * ((layers - routed) * inner + routed * experts)));
}

}  // namespace

void checkDecoderConfig(const DecoderConfig& c) {
  const WeightNames& names = weightNamesOf(c.names);
  expectSize("vocabSize", c.vocabSize);
  expectSize("hiddenSize", c.hiddenSize);
  expectSize("intermediateSize", c.intermediateSize);
  expectSize("heads", c.heads);
  expectSize("kvHeads", c.kvHeads);
  expectSize("headDim", c.headDim);
  expectThat(kCode, c.heads % c.kvHeads == 0, "kvHeads", c.kvHeads, "a divisor of heads (", c.heads, ")");
  expectInteger("maxPositions", c.maxPositions, 0, names.positions.empty() ? 0 : kMostPositions, kCode);
  expectInteger("paddingId", c.paddingId, -1, c.vocabSize - 1, kCode);
  checkForms(c, names);
  checkNumbers(c);
  expectThat(kCode, c.activation != Activation::ClampedSwiglu || c.gated, "gated", "false",
             "true, as clamped_swiglu has a gate,");
  checkLayers(c);
  checkRouting(c, names);
  const double bytes = bytesOfWeights(c);
  if (bytes > kMostBytes) {
    fail(kCode, "Expected sizes of a model that a machine can hold, found ", c.layers(), " layers of ",
         c.hiddenSize, " x ", c.intermediateSize, ", ", c.heads, " heads of ", c.headDim, " and ",
         c.vocabSize, " tokens (", bytes, " bytes).");
  }
}

}  // namespace adaptive
