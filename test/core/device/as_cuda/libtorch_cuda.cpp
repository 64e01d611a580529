// The guarded device in the place of libtorch_cuda: to libtorch it is a GPU, so that tests in TypeScript take
// the way that a GPU takes. ADAPTIVE_GUARDED_BYTES says how much memory it has.
#include <ATen/detail/CUDAHooksInterface.h>

#include <cstdlib>
#include <string>

#include "device/guarded_device.h"

namespace at {
namespace {

/// libtorch looks for this name.
struct CUDAHooks final : CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  int getNumGPUs() const override { return 1; }
  DeviceIndex current_device() const override { return 0; }
  DeviceIndex getCurrentDevice() const override { return 0; }
};

}  // namespace

REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace at

namespace adaptive::test {

[[maybe_unused]] static const bool isOpen = [] {
  registerGuardedDevice();
  refuseMixedOperators();
  if (const char* bytes = std::getenv("ADAPTIVE_GUARDED_BYTES")) limitDeviceMemory(std::stoll(bytes));
  return true;
}();

}  // namespace adaptive::test
