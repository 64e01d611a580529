// Frequencies of the rotary position embedding (Su et al. 2021) and its stretched variants, as transformers'
// modeling_rope_utils defines them.
#pragma once
#include <vector>

#include "core/model/decoder_config.h"
#include "core/model/layers.h"

namespace adaptive {

/// headDim/2 angular frequencies, in radians per position. Errors: MODEL_UNSUPPORTED for a type it does not
/// know.
std::vector<float> ropeFrequencies(const RopeConfig& rope, int64_t headDim);

/// cos and sin [tokens, headDim/2] for positions int64 [tokens].
Rotation rotationOf(const std::vector<float>& frequencies, const at::Tensor& positions);

}  // namespace adaptive
