#pragma once
#include <torch/library.h>

namespace adaptive::test {

/// Adds the emulated kernels of native/cuda, to whose launches the memory of the guarded device is open.
void registerGuardedKernels(torch::Library& own);

}  // namespace adaptive::test
