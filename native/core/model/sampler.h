// Chooses the next token from one row of logits.
#pragma once
#include <ATen/core/Tensor.h>

#include <random>

namespace adaptive {

struct SamplingOptions {
  double temperature = 0;  ///< 0: greedy
  int64_t topK = 0;        ///< 0: all
  double topP = 1;         ///< the smallest set of tokens whose probabilities reach it; 1: all
  uint64_t seed = 0;
};

class Sampler {
 public:
  explicit Sampler(SamplingOptions options) : options_(options), random_(options.seed) {}
  /// logits float32 [vocab] → a token id.
  int64_t next(const at::Tensor& logits);

 private:
  SamplingOptions options_;
  std::mt19937_64 random_;
};

}  // namespace adaptive
