#pragma once
#include "core/model/decoder_config.h"
#include "core/model/decoder_layer.h"
#include "core/model/dropout_key.h"

namespace adaptive {

/// The feed-forward of a layer with experts: the router's softmax, for each token the sum of its most likely
/// experts by their probabilities, and what the shared expert adds. x [tokens, hidden] → float32 [tokens,
/// hidden]. No expert computes a token that is not its own. `key`, `adapts`: as in projected().
at::Tensor routedExperts(const at::Tensor& x, const DecoderLayer& layer, const DecoderConfig& config,
                         const DropoutKey& key, bool adapts);

}  // namespace adaptive
