// An adapter as a whole: which modules get one, what is frozen, and folding it into the weights.
#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/lora_adapter.h"

namespace adaptive {

/// Rows of a table (an embedding or the head) that are trained on their own.
struct TokenRowsTarget {
  std::string module;
  std::vector<int64_t> ids;  ///< each once
};

struct AdapterOptions {
  std::vector<LoraTarget> targets;
  /// Modules (without .weight) that are trained whole beside the adapter.
  std::vector<std::string> modulesToSave = {};
  std::vector<std::string> biases = {};  ///< names of biases that are trained
  std::vector<TokenRowsTarget> tokenRows = {};
  /// Of a tied head: it stays tied where the embedding is trained whole, and has the embedding's A and B.
  bool keepsTied = false;
  bool gaussian = false;  ///< A ~ normal(0, 1/rank) in place of PEFT's uniform(±1/√inputs)
  Decomposition decomposition = {};
  uint64_t seed = 0;
};

/// Freezes the decoder's weights and adds low-rank ones to the targets. A tied head comes apart when it or
/// the embedding is to be saved, and for rows of its own. May be called before the weights are loaded.
/// Errors: INVALID_INPUT for a decoder that has an adapter, a module that it does not have or that cannot be
/// trained on its own, or a rank, scale or dropout out of range; OUT_OF_MEMORY.
void addAdapter(Decoder& decoder, const AdapterOptions& options);

/// A parameter of an adapter and the value at which the adapter changes nothing of the model.
struct AdapterBase {
  const Parameter* parameter;
  at::Tensor value;  ///< undefined: 0
};

/// B at 0 and the magnitude at the norms of the weight's rows, whatever A is; both at what was taken out of
/// the weight, rows of tokens as they were.
std::vector<AdapterBase> adapterBase(const Decoder& decoder);

/// Of the adapters that were taken out of their weights, [A; A₀] and [B, −B₀] by their names, float32.
std::vector<std::pair<std::string, at::Tensor>> plainWeights(const Decoder& decoder);

/// Folds the low-rank additions into the weights, which are all trained again from then on. Errors:
/// INVALID_INPUT for a model without weights.
void mergeAdapter(Decoder& decoder);

}  // namespace adaptive
