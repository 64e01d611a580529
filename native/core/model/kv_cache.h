// Keys and values of one sequence, for generating one token after another.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace adaptive {

class KvCache {
 public:
  explicit KvCache(int64_t layers) : keys_(layers), values_(layers) {}

  /// Positions already seen.
  int64_t length() const { return length_; }
  /// Stores k, v [n, kvHeads, headDim] of the positions that follow and returns all keys and values up to
  /// them.
  std::pair<at::Tensor, at::Tensor> append(int64_t layer, const at::Tensor& k, const at::Tensor& v);
  /// Called once a pass has gone through every layer.
  void advance(int64_t tokens) { length_ += tokens; }

 private:
  int64_t length_ = 0;
  std::vector<at::Tensor> keys_, values_;  ///< [capacity, kvHeads, headDim] each
};

}  // namespace adaptive
