// Buffers of gradients that come and go within a backward pass. Freed and allocated anew they would break up
// the heap: malloc does not give an aligned block of the same size the place that one had.
#pragma once
#include <ATen/ATen.h>

#include <map>

namespace adaptive {

class SpareGradients {
 public:
  /// float32, of the shape; what it holds is anything.
  at::Tensor take(const std::vector<int64_t>& shape, const at::TensorOptions& options) {
    const int64_t values = c10::multiply_integers(shape);
    const auto found = spare_.lower_bound(values);
    if (found == spare_.end()) {
      bytes_ += values * int64_t{sizeof(float)};
      return at::empty({values}, options.dtype(at::kFloat)).view(shape);
    }
    const at::Tensor whole = found->second;
    spare_.erase(found);
    return whole.narrow(0, 0, values).view(shape);
  }
  /// Gives back what take() gave; nothing may use it any more.
  void give(const at::Tensor& gradient) {
    const auto values = static_cast<int64_t>(gradient.storage().nbytes() / sizeof(float));
    spare_.emplace(values, gradient.as_strided({values}, {1}, 0));
  }
  /// Of all that it made.
  int64_t bytes() const { return bytes_; }

 private:
  std::multimap<int64_t, at::Tensor> spare_;
  int64_t bytes_ = 0;
};

}  // namespace adaptive
