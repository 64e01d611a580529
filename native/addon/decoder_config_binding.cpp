#include "addon/decoder_config_binding.h"

#include <limits>

#include "addon/arguments.h"

namespace adaptive::addon {
namespace {

Activation activationFrom(const Napi::Object& from) {
  const std::string name = stringAt(from, "activation");
  if (name == "silu") return Activation::Silu;
  if (name == "gelu_tanh") return Activation::GeluTanh;
  if (name == "gelu") return Activation::Gelu;
  if (name == "relu") return Activation::Relu;
  throw Napi::TypeError::New(from.Env(),
                             "Expected activation silu, gelu_tanh, gelu or relu, found " + name + ".");
}

RopeConfig ropeFrom(const Napi::Object& from) {
  RopeConfig rope;
  rope.type = stringAt(from, "type");
  rope.theta = numberAt(from, "theta");
  rope.dims = integerAt(from, "dims");
  rope.factor = numberAt(from, "factor");
  rope.attentionFactor = numberAt(from, "attentionFactor");
  rope.lowFrequencyFactor = numberAt(from, "lowFrequencyFactor");
  rope.highFrequencyFactor = numberAt(from, "highFrequencyFactor");
  rope.betaFast = numberAt(from, "betaFast");
  rope.betaSlow = numberAt(from, "betaSlow");
  rope.truncate = booleanAt(from, "truncate");
  rope.originalMaxPositions = numberAt(from, "originalMaxPositions");
  rope.shortFactors = arrayAt<double>(from, "shortFactors");
  rope.longFactors = arrayAt<double>(from, "longFactors");
  return rope;
}

/// The objects of an array property, each through `read`.
template <class T, class Read>
std::vector<T> listAt(const Napi::Object& from, const char* key, const Read& read) {
  std::vector<T> list;
  const auto array = objectAt(from, key).As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) list.push_back(read(array.Get(i).As<Napi::Object>()));
  return list;
}

/// src/model/read-decoder-config.ts has the words for the user; here it is kept from dividing by zero and
/// from building layers until the memory is gone.
void checkSizes(Napi::Env env, const DecoderConfig& c) {
  constexpr int64_t largest = std::numeric_limits<int32_t>::max(), mostLayers = 10000,
                    mostPositions = 1 << 24;
  for (const int64_t size : {c.vocabSize, c.hiddenSize, c.intermediateSize, c.heads, c.kvHeads, c.headDim}) {
    if (size < 1 || size > largest)
      throw Napi::TypeError::New(env,
                                 "Expected sizes from 1 to 2147483647, found " + std::to_string(size) + ".");
  }
  if (c.maxPositions < 0 || c.maxPositions > mostPositions)
    throw Napi::TypeError::New(
        env, "Expected 0 to 16777216 maxPositions, found " + std::to_string(c.maxPositions) + ".");
  if (c.layers() < 1 || c.layers() > mostLayers)
    throw Napi::TypeError::New(env, "Expected 1 to 10000 layers, found " + std::to_string(c.layers()) + ".");
  for (const LayerConfig& layer : c.layerConfigs) {
    if (layer.rope >= static_cast<int64_t>(c.ropes.size()) || layer.window < 0)
      throw Napi::TypeError::New(env,
                                 "Expected layers that name one of the ropes, and windows of 0 or more.");
  }
  if (c.heads % c.kvHeads != 0 || c.headDim % 2 != 0)
    throw Napi::TypeError::New(env, "Expected kvHeads that divide heads, and an even headDim.");
}

}  // namespace

DecoderConfig decoderConfigFrom(const Napi::Object& from) {
  DecoderConfig config;
  config.names = stringAt(from, "names");
  config.vocabSize = integerAt(from, "vocabSize");
  config.hiddenSize = integerAt(from, "hiddenSize");
  config.intermediateSize = integerAt(from, "intermediateSize");
  config.heads = integerAt(from, "heads");
  config.kvHeads = integerAt(from, "kvHeads");
  config.headDim = integerAt(from, "headDim");
  config.maxPositions = integerAt(from, "maxPositions");
  config.paddingId = integerAt(from, "paddingId");
  config.normEps = numberAt(from, "normEps");
  config.normOffset = numberAt(from, "normOffset");
  config.layerNorm = booleanAt(from, "layerNorm");
  config.headNormPerHead = booleanAt(from, "headNormPerHead");
  config.activation = activationFrom(from);
  config.gated = booleanAt(from, "gated");
  config.tiedHead = booleanAt(from, "tiedHead");
  config.qkvBias = booleanAt(from, "qkvBias");
  config.outputBias = booleanAt(from, "outputBias");
  config.mlpBias = booleanAt(from, "mlpBias");
  config.embeddingScale = numberAt(from, "embeddingScale");
  config.residualScale = numberAt(from, "residualScale");
  config.logitsScale = numberAt(from, "logitsScale");
  config.attentionCap = numberAt(from, "attentionCap");
  config.logitsCap = numberAt(from, "logitsCap");
  config.ropes = listAt<RopeConfig>(from, "ropes", ropeFrom);
  config.layerConfigs = listAt<LayerConfig>(from, "layers", [](const Napi::Object& layer) {
    return LayerConfig{integerAt(layer, "rope"), integerAt(layer, "window"),
                       numberAt(layer, "attentionScale")};
  });
  checkSizes(from.Env(), config);
  return config;
}

}  // namespace adaptive::addon
