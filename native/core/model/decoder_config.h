// What a decoder needs to know of its architecture. The addon fills it from config.json
// (src/model/decoder-config.ts does the reading and the checking), so that core parses no JSON.
#pragma once
#include <cstdint>
#include <string>

namespace adaptive {

/// Rotary position embedding: θ, and how long contexts stretch it (transformers' `rope_parameters`).
struct RopeConfig {
  std::string type = "default";  ///< default, linear or llama3
  double theta = 10000.0;
  double factor = 1.0;
  double lowFrequencyFactor = 1.0;   ///< llama3
  double highFrequencyFactor = 4.0;  ///< llama3
  double originalMaxPositions = 0;   ///< llama3
};

struct DecoderConfig {
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t intermediateSize = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kvHeads = 0;
  int64_t headDim = 0;
  double normEps = 1e-6;
  bool tiedHead = false;
  bool qkvBias = false;
  bool outputBias = false;  ///< bias of the attention's output projection
  bool mlpBias = false;
  RopeConfig rope;
};

}  // namespace adaptive
