// What a decoder needs to know of its architecture. The addon fills it from config.json
// (src/model/families.ts and read-decoder-config.ts do the reading and the checking), so that core parses no
// JSON.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/activation.h"

namespace adaptive {

/// Rotary position embedding: θ, and how long contexts stretch it (transformers' `rope_parameters`).
struct RopeConfig {
  std::string type = "default";  ///< default, linear, dynamic, llama3, yarn or longrope
  double theta = 10000.0;
  int64_t dims = 0;  ///< entries of a head that are rotated, even
  double factor = 1.0;
  double attentionFactor = 1.0;                   ///< yarn, longrope: multiplies cos and sin
  double lowFrequencyFactor = 1.0;                ///< llama3
  double highFrequencyFactor = 4.0;               ///< llama3
  double betaFast = 32, betaSlow = 1;             ///< yarn
  bool truncate = true;                           ///< yarn: whole dimensions as the bounds of its ramp
  double originalMaxPositions = 0;                ///< dynamic, llama3, yarn, longrope
  std::vector<double> shortFactors, longFactors;  ///< longrope, [dims/2]
};

/// What differs from layer to layer.
struct LayerConfig {
  int64_t rope = 0;    ///< index into DecoderConfig::ropes; −1: not rotated
  int64_t window = 0;  ///< a query sees itself and the window − 1 keys before it; 0: all
  double attentionScale = 0;
  bool routed = false;  ///< its feed-forward is the experts of DecoderConfig::routing
};

/// Feed-forward layers of which a router chooses some for each token (mixture of experts). Shazeer et al.
/// 2017; Jiang et al. 2024, "Mixtral of experts".
struct RoutingConfig {
  int64_t experts = 0;           ///< 0: none
  int64_t active = 0;            ///< of them, those that a token goes through
  int64_t intermediateSize = 0;  ///< of one expert
  int64_t sharedSize = 0;  ///< intermediate size of the expert that every token goes through as well; 0: none
  bool normalised = false;  ///< the weights of the chosen experts add up to 1
  bool bias = false;        ///< of the router and of the experts
};

struct DecoderConfig {
  std::string names = "llama";  ///< the table of weight names (weight_names.h)
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t intermediateSize = 0;  ///< of the layers that are not routed
  int64_t heads = 0;
  int64_t kvHeads = 0;
  int64_t headDim = 0;
  int64_t maxPositions = 0;  ///< learned positions; 0: none
  int64_t paddingId = -1;  ///< looked up without a gradient, as torch.nn.Embedding's padding_idx; −1: none
  double normEps = 1e-6;
  double normOffset = 0;        ///< RMSNorm multiplies with weight + offset
  bool layerNorm = false;       ///< LayerNorm with a bias instead of RMSNorm
  bool headNormPerHead = true;  ///< where queries and keys are normed: each head by itself, or all as one
  Activation activation = Activation::Silu;
  bool gated = true;  ///< activation(gate)·up, or activation(up) alone
  bool tiedHead = false;
  bool qkvBias = false;
  bool outputBias = false;  ///< bias of the attention's output projection
  bool mlpBias = false;
  double embeddingScale = 1, residualScale = 1, logitsScale = 1;
  double qkvClip = 0;                      ///< queries, keys and values lie from −c to c; 0: no bound
  double attentionCap = 0, logitsCap = 0;  ///< c·tanh(x/c); 0: none
  RoutingConfig routing;
  /// Shares that are dropped in training: of the attention's weights, of what each half of a block adds to
  /// the residual stream, of the embeddings.
  double attentionDropout = 0, residualDropout = 0, embeddingDropout = 0;
  double embeddingNoiseScale = 1;  ///< what noise on the embeddings is multiplied with
  std::vector<RopeConfig> ropes;
  std::vector<LayerConfig> layerConfigs;  ///< [layers]
  int64_t layers() const { return static_cast<int64_t>(layerConfigs.size()); }
};

/// Errors: MODEL_CONFIG_INVALID naming the entry that no model can have (a size of 0, rotated entries that
/// are odd or more than a head has, a layer without its rope, …); MODEL_UNSUPPORTED for an unknown family or
/// rope.
void checkDecoderConfig(const DecoderConfig& config);

}  // namespace adaptive
