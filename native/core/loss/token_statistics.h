// What the statistics pass leaves of the logits: a few numbers per labelled token.
#pragma once
#include <cstdint>
#include <vector>

namespace adaptive {

struct TokenStatistics {
  std::vector<float> nll;       ///< logsumexp(z) − z[label], nats
  std::vector<float> topNll;    ///< the nll of the model's own first choice
  std::vector<float> entropy;   ///< of softmax(z), nats
  std::vector<int32_t> rank;    ///< how many logits are greater than z[label]; 0 = first choice
  std::vector<int32_t> argmax;  ///< the first choice; -1 when a logit is NaN
  std::vector<float>
      topKEntropy;  ///< of the softmax over the k largest logits alone, nats; empty unless asked for
  int64_t size() const { return static_cast<int64_t>(nll.size()); }
};

}  // namespace adaptive
