// The first GPU as the device of device_tests, with the kernels of native/cuda.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <cstdio>
#include <cstdlib>

#include "device/test_device.h"

namespace adaptive::test {

void openTestDevice() {
  if (at::detail::getCUDAHooks().deviceCount() > 0) return;
  std::printf("libtorch sees no GPU on this machine\n");
  std::exit(1);
}
at::Device testDevice() { return {at::kCUDA, 0}; }
std::string testDeviceName() { return at::cuda::getCurrentDeviceProperties()->name; }

}  // namespace adaptive::test
