// The randomness of one micro-batch. Masks are drawn from a key instead of a running generator, so a block
// that is run again in backward, and a run that is resumed, see the same ones.
#pragma once
#include <cstdint>
#include <optional>

#include "core/mixed.h"

namespace adaptive {

/// Nothing: no dropout, as outside training.
using DropoutKey = std::optional<uint64_t>;

/// Where in the model something is drawn. Adapters draw by their number, which is below 2³².
enum class DropoutSite : uint64_t { Embedding = 1, Noise, Attention, AttentionOutput, FeedForward };

inline DropoutKey keyAt(const DropoutKey& key, DropoutSite site, int64_t layer = 0) {
  if (!key) return {};
  return mixed({*key, static_cast<uint64_t>(site) << 32, static_cast<uint64_t>(layer)});
}

}  // namespace adaptive
