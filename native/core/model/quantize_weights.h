#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/quantized_matrix.h"

namespace adaptive {

struct QuantizedWeight {
  std::string name;  ///< of a projection's weight
  Quantization how;
};

/// Keeps these weights in fewer bits; to be called before they are loaded, from floats or from what
/// bitsandbytes made of them. Errors: INVALID_INPUT for a model with weights or an adapter, and for a name
/// that no matrix of a projection has.
void quantizeWeights(Decoder& decoder, const std::vector<QuantizedWeight>& weights);

}  // namespace adaptive
