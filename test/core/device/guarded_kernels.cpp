#include "device/guarded_kernels.h"

#include "cuda/on_device.h"
#include "cuda/register_kernels.h"
#include "device/guarded_device.h"

namespace adaptive::test {

void registerGuardedKernels(torch::Library& own) {
  cuda::OnDevice::atLaunch = &openDeviceMemory;
  cuda::registerAttentionKernels(own);
  cuda::registerLayerKernels(own);
  cuda::registerLossKernels(own);
  cuda::registerOptimizerKernels(own);
  own.impl("free_bytes", &freeBytes);
  own.impl("host_bytes", &hostBytes);
  own.impl("pinned_bytes", &pinnedBytes);
}

}  // namespace adaptive::test
