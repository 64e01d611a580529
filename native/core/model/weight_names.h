// Where each weight stands in a Hugging Face checkpoint. `{}` is the number of the layer. A family is a table
// of names: what it leaves empty, the architecture does not have.
#pragma once
#include <string>
#include <vector>

namespace adaptive {

struct WeightNames {
  std::string embedding, finalNorm, head;
  std::string positions;                     ///< learned position embeddings
  std::string attentionNorm, mlpNorm;        ///< before attention and feed-forward
  std::string attentionOutNorm, mlpOutNorm;  ///< after them, before the residual sum
  std::string qNorm, kNorm;
  std::vector<std::string> qkv,
      gateUp;  ///< modules (without .weight / .bias) that read the same input, in order; one: stored fused
  std::string output, down;
  bool transposed = false;  ///< projections are stored [inputs, outputs]
};

/// The table `family`: llama (Mistral, Qwen2, SmolLM3 and Granite kept its names), qwen3, phi3, gemma2,
/// gemma3, olmo2 or gpt2. Errors: MODEL_UNSUPPORTED.
const WeightNames& weightNamesOf(const std::string& family);

/// `pattern` with {} replaced.
std::string nameInLayer(const std::string& pattern, int64_t layer);

}  // namespace adaptive
