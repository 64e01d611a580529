// The CUDA backend as a library of its own: loading it, after libtorch_cuda, registers its operators.
#include "core/ops/library.h"
#include "cuda/register_kernels.h"

ADAPTIVE_LIBRARY_IMPL(CUDA, m) { adaptive::cuda::registerKernels(m); }
