// Chooses the next token from one row of logits.
#pragma once
#include <ATen/core/Tensor.h>

#include <random>
#include <unordered_set>

namespace adaptive {

struct SamplingOptions {
  double temperature = 0;        ///< 0: greedy
  int64_t topK = 0;              ///< 0: all
  double topP = 1;               ///< the smallest set of tokens whose probabilities reach it; 1: all
  double repetitionPenalty = 1;  ///< logits of ids seen before: divided by it above 0, multiplied below
  uint64_t seed = 0;
};

class Sampler {
 public:
  /// Errors: INVALID_INPUT naming an option that is out of range.
  explicit Sampler(SamplingOptions options);
  /// Ids that the repetition penalty counts as seen. Keskar et al. 2019.
  void see(const std::vector<int64_t>& ids);
  /// logits float32 [vocab], contiguous on the CPU; overwritten → a token id, which is seen from now on.
  /// Errors: WEIGHTS_NOT_FINITE for a NaN or +∞ among the logits.
  int64_t next(at::Tensor logits);

 private:
  int64_t chosen(const at::Tensor& logits);
  int64_t chosenFromAll(const at::Tensor& logits);
  double nextUniform();

  std::unordered_set<int64_t> seen_;
  SamplingOptions options_;
  std::mt19937_64 random_;
};

}  // namespace adaptive
