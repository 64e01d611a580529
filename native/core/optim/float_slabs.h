#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace adaptive {

/// Lets `move` change a contiguous weight as float32: a float32 weight as it is, flat and whole; a bfloat16
/// one as float32 copies of at most 2²⁰ entries, which are rounded back stochastically with the noise of
/// `key`. move(slab, first, count): entries [first, first + count) of the flat weight.
void forFloatSlabs(const at::Tensor& weight, uint32_t key,
                   const std::function<void(const at::Tensor& slab, int64_t first, int64_t count)>& move);

}  // namespace adaptive
