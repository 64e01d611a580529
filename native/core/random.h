#pragma once
#include <ATen/ATen.h>

namespace adaptive {

/// A generator of the host, whose numbers depend on the seed alone: what is drawn is then the same on every
/// device.
inline at::Generator generatorFor(uint64_t seed) {
  const at::Device host = at::empty({0}).device();
  at::Generator generator = at::globalContext().defaultGenerator(host).clone();
  generator.set_current_seed(seed);
  return generator;
}

/// Standard normal numbers [rows, columns] of that generator, where `like` is and of its type.
inline at::Tensor drawnNormal(int64_t rows, int64_t columns, at::Generator& generator,
                              const at::Tensor& like) {
  return at::randn({rows, columns}, generator, at::TensorOptions(like.scalar_type())).to(like.device());
}

}  // namespace adaptive
