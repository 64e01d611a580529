// In the place of native/cuda/plugin.cpp: the emulated kernels, as those of CUDA.
#include "core/ops/library.h"
#include "device/guarded_kernels.h"

ADAPTIVE_LIBRARY_IMPL(CUDA, m) { adaptive::test::registerGuardedKernels(m); }
