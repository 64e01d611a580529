// Chooses the next tokens from rows of logits, where those are: the host is told the tokens alone.
#pragma once
#include <ATen/core/Tensor.h>

#include <random>
#include <unordered_set>
#include <vector>

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
  /// For `rows` sequences side by side; row r draws from the seed of `options` plus r, whatever the others
  /// do. Errors: INVALID_INPUT naming an option that is out of range.
  explicit Sampler(SamplingOptions options, size_t rows = 1);
  /// Ids of a row that the repetition penalty counts as seen. Keskar et al. 2019.
  void see(size_t row, const std::vector<int64_t>& ids);
  /// logits float32 [n, vocab], contiguous, on any device, of these rows; overwritten → a token id for each,
  /// which is seen from now on. One copy from the device, of n numbers. Errors: WEIGHTS_NOT_FINITE for a NaN
  /// or +∞ among the logits.
  std::vector<int64_t> next(at::Tensor logits, const std::vector<size_t>& rows);

 private:
  struct Row {
    std::mt19937_64 random;
    std::unordered_set<int64_t> seen;
  };
  /// Makes what was seen less likely; → whether anything was.
  bool penalise(const at::Tensor& logits, const std::vector<size_t>& rows) const;
  /// Ids int64 [n], one for each row of logits: `first` where no probabilities can be made of them.
  at::Tensor drawn(const at::Tensor& logits, const std::vector<size_t>& rows, const at::Tensor& first);

  std::vector<Row> rows_;
  SamplingOptions options_;
};

}  // namespace adaptive
