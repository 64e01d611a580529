#pragma once
#include <ATen/ATen.h>

namespace adaptive {

/// A generator for the device of `like`, whose numbers depend on the seed alone.
inline at::Generator generatorFor(const at::Tensor& like, uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(like.device()).clone();
  generator.set_current_seed(seed);
  return generator;
}

}  // namespace adaptive
