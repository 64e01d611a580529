// A configuration that no decoder can have is refused before anything is allocated or indexed.
#include "core/model/decoder_config.h"

#include <cmath>
#include <functional>
#include <limits>

#include "check.h"
#include "core/model/decoder.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(),
                 kInfinity = std::numeric_limits<double>::infinity();

DecoderConfig sound() {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

using Change = std::function<void(DecoderConfig&)>;

void checkRefused(const std::string& words, const Change& change,
                  const std::string& code = "MODEL_CONFIG_INVALID") {
  DecoderConfig config = sound();
  change(config);
  checkFails(code, words, [&] { Decoder decoder(config); });
}

void checkRopeRefused(const std::string& type, const std::string& words,
                      const std::function<void(RopeConfig&)>& change) {
  checkRefused(words, [&](DecoderConfig& c) {
    RopeConfig& rope = c.ropes[0];
    rope.type = type;
    rope.originalMaxPositions = 64, rope.factor = 2;
    if (type == "longrope") rope.shortFactors = rope.longFactors = {1, 1, 2, 2};
    checkDecoderConfig(c);  // sound but for the change
    change(rope);
  });
}

}  // namespace

TEST("decoder config: sizes") {
  checkDecoderConfig(sound());
  for (const int64_t size :
       {int64_t{0}, int64_t{-1}, int64_t{1} << 31, std::numeric_limits<int64_t>::min()}) {
    checkRefused("vocabSize", [&](DecoderConfig& c) { c.vocabSize = size; });
    checkRefused("hiddenSize", [&](DecoderConfig& c) { c.hiddenSize = size; });
    checkRefused("intermediateSize", [&](DecoderConfig& c) { c.intermediateSize = size; });
    checkRefused("heads", [&](DecoderConfig& c) { c.heads = size; });
    checkRefused("kvHeads", [&](DecoderConfig& c) { c.kvHeads = size; });
    checkRefused("headDim", [&](DecoderConfig& c) { c.headDim = size; });
  }
  checkRefused("a divisor of heads (2)", [](DecoderConfig& c) { c.kvHeads = 3; });
  checkRefused("maxPositions", [](DecoderConfig& c) { c.maxPositions = 8; });  // llama has no such table
  checkRefused("paddingId", [](DecoderConfig& c) { c.paddingId = 31; });
  checkRefused("paddingId", [](DecoderConfig& c) { c.paddingId = -2; });
  checkRefused("a machine can hold", [](DecoderConfig& c) {
    c.vocabSize = c.hiddenSize = c.intermediateSize = std::numeric_limits<int32_t>::max();
  });
}

TEST("decoder config: layers name a rope that is there") {
  checkRefused("the number of layers", [](DecoderConfig& c) { c.layerConfigs.clear(); });
  checkRefused("the number of layers", [](DecoderConfig& c) { c.layerConfigs.resize(10001); });
  checkRefused("layers[1].rope", [](DecoderConfig& c) { c.layerConfigs[1].rope = 1; });
  checkRefused("layers[0].rope", [](DecoderConfig& c) { c.layerConfigs[0].rope = -2; });
  checkRefused("layers[0].window", [](DecoderConfig& c) { c.layerConfigs[0].window = -1; });
  checkRefused("layers with experts", [](DecoderConfig& c) { c.layerConfigs[0].routed = true; });
  const auto routed = [](const RoutingConfig& routing) {
    return [routing](DecoderConfig& c) {
      c.names = "mixtral";
      c.layerConfigs[0].routed = true;
      c.routing = routing;
    };
  };
  checkRefused("routing.experts", routed({.experts = 0, .active = 1, .intermediateSize = 8}));
  checkRefused("routing.experts", routed({.experts = 1 << 20, .active = 1, .intermediateSize = 8}));
  checkRefused("routing.active", routed({.experts = 4, .active = 5, .intermediateSize = 8}));
  checkRefused("routing.intermediateSize", routed({.experts = 4, .active = 2, .intermediateSize = 0}));
  checkRefused("routing.sharedSize",
               routed({.experts = 4, .active = 2, .intermediateSize = 8, .sharedSize = 8}));
  checkRefused("layers[0].attentionScale", [](DecoderConfig& c) { c.layerConfigs[0].attentionScale = kNaN; });
  checkRefused("gated", [](DecoderConfig& c) { c.gated = false; });  // llama stores a gate
}

TEST("decoder config: rotated entries are even, and no more than a head has") {
  for (const int64_t dims : {0, -2, 1, 7, 10, 1 << 30})
    checkRefused("ropes[0].dims", [&](DecoderConfig& c) { c.ropes[0].dims = dims; });
  checkRefused(
      "found \"ntk\"", [](DecoderConfig& c) { c.ropes[0].type = "ntk"; }, "MODEL_UNSUPPORTED");
  for (const double theta : {0.0, -1.0, kNaN, kInfinity})
    checkRefused("ropes[0].theta", [&](DecoderConfig& c) { c.ropes[0].theta = theta; });
  for (const std::string type : {"linear", "dynamic", "llama3", "yarn", "longrope"}) {
    checkRopeRefused(type, "ropes[0].factor", [](RopeConfig& r) { r.factor = 0; });
    checkRopeRefused(type, "ropes[0].attentionFactor", [](RopeConfig& r) { r.attentionFactor = kNaN; });
    if (type != "linear")
      checkRopeRefused(type, "ropes[0].originalMaxPositions",
                       [](RopeConfig& r) { r.originalMaxPositions = 0; });
  }
  checkRopeRefused("llama3", "lowFrequencyFactor", [](RopeConfig& r) { r.lowFrequencyFactor = 0; });
  checkRopeRefused("llama3", "highFrequencyFactor", [](RopeConfig& r) { r.highFrequencyFactor = 1; });
  checkRopeRefused("yarn", "theta", [](RopeConfig& r) { r.theta = 1; });
  checkRopeRefused("yarn", "betaFast", [](RopeConfig& r) { r.betaFast = 0; });
  checkRopeRefused("yarn", "betaSlow", [](RopeConfig& r) { r.betaSlow = -1; });
  checkRopeRefused("longrope", "ropes[0].shortFactors", [](RopeConfig& r) { r.shortFactors.pop_back(); });
  checkRopeRefused("longrope", "ropes[0].longFactors[3]", [](RopeConfig& r) { r.longFactors[3] = 0; });
}

TEST("decoder config: numbers are finite") {
  for (const double wrong : {kNaN, kInfinity}) {
    checkRefused("normEps", [&](DecoderConfig& c) { c.normEps = wrong; });
    checkRefused("normOffset", [&](DecoderConfig& c) { c.normOffset = wrong; });
    checkRefused("embeddingScale", [&](DecoderConfig& c) { c.embeddingScale = wrong; });
    checkRefused("residualScale", [&](DecoderConfig& c) { c.residualScale = wrong; });
    checkRefused("logitsScale", [&](DecoderConfig& c) { c.logitsScale = wrong; });
    checkRefused("attentionCap", [&](DecoderConfig& c) { c.attentionCap = wrong; });
    checkRefused("logitsCap", [&](DecoderConfig& c) { c.logitsCap = wrong; });
  }
  checkRefused("normEps", [](DecoderConfig& c) { c.normEps = -1e-6; });
  checkRefused("logitsCap", [](DecoderConfig& c) { c.logitsCap = -30; });
}

TEST("decoder config: a model without weights computes nothing") {
  Decoder decoder(sound());
  checkFails("INVALID_INPUT", "neither loaded nor drawn", [&] { decoder.hiddenStates({{1, 2}, {0, 2}}); });
  KvCache cache(2);
  checkFails("INVALID_INPUT", "neither loaded nor drawn", [&] {
    decoder.hiddenStates({{1, 2}, {0, 2}}, {&cache});
  });
  checkFails("INVALID_INPUT", "bfloat16", [&] { decoder.setTypes(at::kFloat, at::kBFloat16); });
}
