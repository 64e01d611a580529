// Rotary position embedding (Su et al. 2021) and its stretched variants, as transformers' modeling_rope_utils
// defines them.
#pragma once
#include <vector>

#include "core/model/decoder_config.h"
#include "core/model/layers.h"

namespace adaptive {

/// dims/2 angular frequencies, in radians per position, for a row of `length` tokens (dynamic and longrope
/// depend on it). Errors: MODEL_UNSUPPORTED for a type it does not know.
std::vector<float> ropeFrequencies(const RopeConfig& rope, int64_t length);

/// `count` tokens of one row, from position `first`.
struct PositionRange {
  int64_t first, count;
};

/// cos and sin [tokens, dims/2] of the rows' tokens, one row after the other, on `device`.
Rotation rotationOf(const RopeConfig& rope, const std::vector<PositionRange>& rows, at::Device device);

}  // namespace adaptive
