// A moment of one tensor between two steps: float32, or in 8 bits, where blocks of kMomentBlock values share
// one float32 scale (Dettmers et al. 2022; the layout of bitsandbytes).
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/optim/state_tensor.h"

namespace adaptive {

class StoredMoment {
 public:
  /// `values`: float32 of the meta device, of the shape of its tensor. Fewer than 4,096 values stay float32
  /// in any case, as in bitsandbytes.
  StoredMoment(at::Tensor values, bool inEightBits, bool isSigned);

  /// What it is made of, which is to be given a place.
  std::vector<StateTensor> tensors();

  /// Values [first, first + count) as float32 [count]: the moment itself, or a copy that keep() puts back.
  at::Tensor values(int64_t first, int64_t count) const;
  void keep(const at::Tensor& values, int64_t first);

  /// Appends what has to survive a restart, named after `name`.
  void addState(const std::string& name, std::vector<std::pair<std::string, at::Tensor>>& state) const;

 private:
  at::Tensor codes_, scales_;  ///< without scales, codes_ are the values
  bool isSigned_;
};

/// fn(first, count) over pieces whose temporaries fit a cache, each a whole number of blocks but the last.
void forPieces(int64_t count, const std::function<void(int64_t first, int64_t count)>& fn);

}  // namespace adaptive
