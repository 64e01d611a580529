#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace adaptive {

/// One of the tensors that an optimizer keeps of a weight.
struct StateTensor {
  at::Tensor* tensor;          ///< of the meta device until it has a place
  int64_t fill = 0;            ///< what its entries begin as
  int64_t valuesPerEntry = 1;  ///< so many values of the weight share one
};

inline int64_t bytesOf(const std::vector<StateTensor>& states) {
  int64_t bytes = 0;
  for (const StateTensor& state : states) bytes += static_cast<int64_t>(state.tensor->nbytes());
  return bytes;
}

}  // namespace adaptive
