#pragma once
#include "core/model/decoder_layer.h"
#include "core/model/dropout_key.h"

namespace adaptive {

/// y = x·weightᵀ (+ bias, + what the adapters add) in the dtype of the compute weights. x [tokens, in].
/// `key`: the randomness of the adapters' dropout; without it they see all of x. `adapts`: false leaves the
/// adapters out, where no graph is recorded.
at::Tensor projected(const at::Tensor& x, const Projection& projection, const DropoutKey& key = {},
                     bool adapts = true);

}  // namespace adaptive
