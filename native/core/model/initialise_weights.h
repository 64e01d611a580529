// New weights, to train a model from scratch.
#pragma once
#include "core/model/decoder.h"

namespace adaptive {

struct Initialisation {
  double deviation = 0.02;          ///< of every matrix: config.json's initializer_range
  double residualDeviation = 0.02;  ///< of the projections that end in the residual sum
  uint64_t seed = 0;
};

/// As transformers' _init_weights: matrices normal(0, deviation), norms 1 (0 where the norm adds 1), biases
/// 0, the embedding of the padding token 0. The same seed gives the same weights.
/// Errors: INVALID_INPUT for a deviation below 0 or not finite.
void initialiseWeights(Decoder& decoder, const Initialisation& options);

}  // namespace adaptive
