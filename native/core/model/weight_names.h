// Where each weight stands in a Hugging Face checkpoint. `{}` is the number of the layer. A family is a table
// of names: what it leaves empty, the architecture does not have.
#pragma once
#include <string>
#include <vector>

namespace adaptive {

struct WeightNames {
  std::string embedding, finalNorm, head;
  std::string storedHead = {};               ///< what checkpoints call the head; empty: the same
  std::string positions;                     ///< learned position embeddings
  std::string attentionNorm, mlpNorm;        ///< before attention and feed-forward
  std::string attentionOutNorm, mlpOutNorm;  ///< after them, before the residual sum
  std::string qNorm, kNorm;                  ///< a second {} is the number of the head
  std::string sinks = {};                    ///< what each head of attention leaves to no key
  std::vector<std::string> qkv,
      gateUp;  ///< modules (without .weight / .bias) that read the same input, in order; one: stored fused
  std::string output, down;
  std::string router = {};                     ///< of layers with experts
  std::string experts = {};                    ///< holds gate_up_proj and down_proj of all of them
  std::vector<std::string> sharedGateUp = {};  ///< of the expert that every token goes through
  std::string sharedDown = {}, sharedGate = {};
  /// Where a checkpoint has the router, and each expert ({} is its number, behind that of the layer), where
  /// it is not as above.
  std::string storedRouter = {};
  std::vector<std::string> storedGateUp = {}, storedDown = {};
  bool transposedExperts = false;  ///< experts are stored [experts, inputs, outputs]
  bool transposed = false;         ///< projections are stored [inputs, outputs]
};

/// The table `family`, which other families may share: llama is also that of Mistral, Qwen2, Granite and
/// more. Errors: MODEL_UNSUPPORTED.
const WeightNames& weightNamesOf(const std::string& family);

/// `pattern` with {} replaced.
std::string nameInLayer(const std::string& pattern, int64_t layer);

}  // namespace adaptive
