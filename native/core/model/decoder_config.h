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
  bool interleaved = false;  ///< entries 2i and 2i + 1 turn together, not i and i + dims/2
};

/// Norms of queries and keys before they are rotated.
enum class HeadNorm {
  None,
  Rms,          ///< RMSNorm of each head, with one weight for all
  RmsOfAll,     ///< RMSNorm of all heads as one
  Layer,        ///< LayerNorm of each head, with one weight and bias for all
  LayerOfEach,  ///< LayerNorm of each head, with a weight of its own and no bias
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
  double normOffset = 0;                     ///< RMSNorm multiplies with weight + offset
  bool layerNorm = false;                    ///< LayerNorm instead of RMSNorm
  bool normWeight = true, normBias = false;  ///< what a LayerNorm has; RMSNorm has a weight
  HeadNorm headNorm = HeadNorm::None;
  bool parallelResidual = false;  ///< the feed-forward reads what attention reads, and both are added at once
  bool sharedNorm = false;        ///< of parallel blocks: both read the same norm
  Activation activation = Activation::Silu;
  bool gated = true;  ///< activation(gate)·up, or activation(up) alone
  bool tiedHead = false;
  bool headBias = false;
  bool qkvBias = false;
  bool outputBias = false;  ///< bias of the attention's output projection
  bool mlpBias = false;
  bool qkvByHead = false;  ///< the rows of a fused qkv are q, k, v of one head after the other
  double qkvClip = 0;      ///< queries, keys and values are bounded to ±qkvClip; 0: not
  double embeddingScale = 1, residualScale = 1, logitsScale = 1;
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
