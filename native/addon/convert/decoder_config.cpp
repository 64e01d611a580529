#include "addon/convert/decoder_config.h"

#include "addon/convert/arguments.h"

namespace adaptive::addon {
namespace {

Activation activationFrom(const Napi::Object& from) {
  const std::string name = stringAt(from, "activation");
  if (name == "silu") return Activation::Silu;
  if (name == "gelu_tanh") return Activation::GeluTanh;
  if (name == "gelu") return Activation::Gelu;
  if (name == "relu") return Activation::Relu;
  if (name == "clamped_swiglu") return Activation::ClampedSwiglu;
  failType(from.Get("activation"), "silu, gelu_tanh, gelu, relu or clamped_swiglu", "activation");
}

HeadNorm headNormFrom(const Napi::Object& from) {
  const std::string name = stringAt(from, "headNorm");
  if (name == "none") return HeadNorm::None;
  if (name == "rms") return HeadNorm::Rms;
  if (name == "rms_of_all") return HeadNorm::RmsOfAll;
  if (name == "layer") return HeadNorm::Layer;
  if (name == "layer_of_each") return HeadNorm::LayerOfEach;
  failType(from.Get("headNorm"), "none, rms, rms_of_all, layer or layer_of_each", "headNorm");
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
  rope.interleaved = booleanAt(from, "interleaved");
  return rope;
}

RoutingConfig routingFrom(const Napi::Object& from) {
  return {integerAt(from, "experts"),    integerAt(from, "active"),     integerAt(from, "intermediateSize"),
          integerAt(from, "sharedSize"), booleanAt(from, "normalised"), booleanAt(from, "bias")};
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
  config.normWeight = booleanAt(from, "normWeight");
  config.normBias = booleanAt(from, "normBias");
  config.headNorm = headNormFrom(from);
  config.parallelResidual = booleanAt(from, "parallelResidual");
  config.sharedNorm = booleanAt(from, "sharedNorm");
  config.activation = activationFrom(from);
  config.gated = booleanAt(from, "gated");
  config.tiedHead = booleanAt(from, "tiedHead");
  config.headBias = booleanAt(from, "headBias");
  config.qkvBias = booleanAt(from, "qkvBias");
  config.outputBias = booleanAt(from, "outputBias");
  config.mlpBias = booleanAt(from, "mlpBias");
  config.qkvByHead = booleanAt(from, "qkvByHead");
  config.qkvClip = numberAt(from, "qkvClip");
  config.embeddingScale = numberAt(from, "embeddingScale");
  config.residualScale = numberAt(from, "residualScale");
  config.logitsScale = numberAt(from, "logitsScale");
  config.attentionCap = numberAt(from, "attentionCap");
  config.logitsCap = numberAt(from, "logitsCap");
  if (!from.Get("routing").IsUndefined()) config.routing = routingFrom(objectAt(from, "routing"));
  config.attentionDropout = numberAt(from, "attentionDropout");
  config.residualDropout = numberAt(from, "residualDropout");
  config.embeddingDropout = numberAt(from, "embeddingDropout");
  config.embeddingNoiseScale = numberAt(from, "embeddingNoiseScale");
  config.ropes = listAt(from, "ropes", [](const Napi::Value& rope, const std::string& at) {
    return ropeFrom(objectFrom(rope, at));
  });
  config.layerConfigs = listAt(from, "layers", [](const Napi::Value& value, const std::string& at) {
    const Napi::Object layer = objectFrom(value, at);
    return LayerConfig{integerAt(layer, "rope"), integerAt(layer, "window"),
                       numberAt(layer, "attentionScale"),
                       !layer.Get("routed").IsUndefined() && booleanAt(layer, "routed")};
  });
  return config;
}

}  // namespace adaptive::addon
