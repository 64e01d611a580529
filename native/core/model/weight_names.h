// Where each weight stands in a Hugging Face checkpoint. `{}` is the number of the layer. A family is a table
// of names.
#pragma once
#include <string>
#include <vector>

namespace adaptive {

struct WeightNames {
  std::string embedding, finalNorm, head;
  std::string inputNorm, postAttentionNorm;
  std::vector<std::string> qkv,
      gateUp;  ///< modules (without .weight / .bias) that read the same input, in order
  std::string output, down;
};

/// Llama, Mistral, Qwen2 and every family that kept Llama's names.
const WeightNames& llamaWeightNames();

/// `pattern` with {} replaced.
std::string nameInLayer(const std::string& pattern, int64_t layer);

}  // namespace adaptive
