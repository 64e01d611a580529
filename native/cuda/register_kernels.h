#pragma once
#include <torch/library.h>

namespace adaptive::cuda {

/// Adds the implementations of the operators (core/ops/schema.cpp) to a library of registrations.
void registerAttentionKernels(torch::Library& m);
void registerLayerKernels(torch::Library& m);
void registerLossKernels(torch::Library& m);
void registerOptimizerKernels(torch::Library& m);
void registerProducts(torch::Library& m);

/// All of them.
inline void registerKernels(torch::Library& m) {
  registerAttentionKernels(m);
  registerLayerKernels(m);
  registerLossKernels(m);
  registerOptimizerKernels(m);
  registerProducts(m);
}

}  // namespace adaptive::cuda
