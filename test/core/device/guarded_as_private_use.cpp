// The guarded device as the one that libtorch leaves free, for tests without Node.
#include <ATen/detail/PrivateUse1HooksInterface.h>

#include "core/ops/library.h"
#include "device/guarded_device.h"
#include "device/guarded_kernels.h"
#include "device/test_device.h"

namespace adaptive::test {
namespace {

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
};

}  // namespace

void openTestDevice() {
  c10::register_privateuse1_backend("guarded");
  static Hooks hooks;
  at::RegisterPrivateUse1HooksInterface(&hooks);
  registerGuardedDevice();
  static torch::Library own(torch::Library::IMPL, ops::libraryName(), kGuardedKey, __FILE__, __LINE__);
  registerGuardedKernels(own);
}

}  // namespace adaptive::test
