// What the statistics pass leaves of the logits: a few numbers per labelled token.
#pragma once
#include <cstdint>
#include <vector>

namespace adaptive {

/// What is gathered beside what always is.
struct MoreStatistics {
  int64_t entropyOfTop = 0;  ///< the k of TokenStatistics::topKEntropy; 0: not gathered
  int64_t firstChoices = 0;  ///< of TokenStatistics::choices, at most the vocabulary; 0: not gathered
  /// ε: the share of each label that is spread over the vocabulary, for TokenStatistics::smoothed; 0: not
  /// gathered.
  double smoothing = 0;
};

struct TokenStatistics {
  std::vector<float> nll;       ///< logsumexp(z) − z[label], nats
  std::vector<float> topNll;    ///< the nll of the model's own first choice
  std::vector<float> entropy;   ///< of softmax(z), nats
  std::vector<int32_t> rank;    ///< how many logits are greater than z[label]; 0 = first choice
  std::vector<int32_t> argmax;  ///< the first choice; -1 when a logit is NaN
  std::vector<float>
      topKEntropy;  ///< of the softmax over the k largest logits alone, nats; empty unless asked for
  /// The model's own first choices [n][choices], best first, of equally likely ones the lower id first.
  std::vector<int32_t> choiceIds;  ///< −1 beside a NaN
  std::vector<float> choiceNll;    ///< what each of them costs, nats
  int64_t choices = 0;             ///< how many of each token; 0 unless asked for
  std::vector<float> smoothed;     ///< nll with label smoothing; empty without
  /// What the loss takes for the nll of token i.
  double lossNll(int64_t i) const { return smoothed.empty() ? nll[i] : smoothed[i]; }
  int64_t size() const { return static_cast<int64_t>(nll.size()); }
};

}  // namespace adaptive
