#pragma once
#include <ATen/ATen.h>

#include <vector>

namespace adaptive {

/// Numbers of the host as a tensor [n] of their type, where `like` is.
template <class T>
at::Tensor uploaded(const std::vector<T>& values, const at::Tensor& like) {
  return at::tensor(values).to(like.device());
}

}  // namespace adaptive
