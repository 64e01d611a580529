// Small models of several families.
#pragma once
#include <cmath>

#include "core/model/decoder_config.h"

namespace adaptive::test {

inline DecoderConfig llama() {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8, config.tiedHead = true;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

inline DecoderConfig gemma() {
  DecoderConfig config = llama();
  config.tiedHead = false;
  config.attentionCap = 5, config.logitsCap = 6, config.normOffset = 1;
  config.embeddingScale = 4, config.activation = Activation::GeluTanh, config.paddingId = 0;
  config.layerConfigs[1].window = 3;
  return config;
}

inline DecoderConfig qwen3() {
  DecoderConfig config = llama();
  config.names = "qwen3", config.headNorm = HeadNorm::Rms;
  return config;
}

inline DecoderConfig gpt2() {
  DecoderConfig config = llama();
  config.names = "gpt2", config.maxPositions = 16, config.layerNorm = true, config.normBias = true;
  config.gated = false, config.qkvBias = config.outputBias = config.mlpBias = true;
  config.activation = Activation::GeluTanh, config.kvHeads = config.heads, config.ropes = {};
  config.residualDropout = config.attentionDropout = config.embeddingDropout = 0.2;
  for (LayerConfig& layer : config.layerConfigs) layer.rope = -1;
  return config;
}

inline DecoderConfig mixtral() {
  DecoderConfig config = llama();
  config.names = "mixtral", config.tiedHead = false;
  config.routing = {.experts = 4, .active = 2, .intermediateSize = 12, .normalised = true};
  for (LayerConfig& layer : config.layerConfigs) layer.routed = true;
  return config;
}

}  // namespace adaptive::test
