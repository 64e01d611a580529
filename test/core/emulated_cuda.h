// The CUDA kernels, run on the CPU by the emulation of test/cuda, in place of the CPU's own.
#pragma once
#include <torch/library.h>

#include "core/ops/library.h"
#include "cuda/register_kernels.h"

namespace adaptive::test {

/// As long as it lives, the operators on CPU tensors are those of native/cuda. What that lacks stays the
/// CPU's.
class EmulatedCuda {
 public:
  EmulatedCuda()
      : library_(torch::Library::IMPL, ops::libraryName(), c10::DispatchKey::CPU, __FILE__, __LINE__) {
    cuda::registerKernels(library_);
  }

 private:
  torch::Library library_;
};

}  // namespace adaptive::test
