// The check of a device before it is first used: it passes where the device is right, and finds one that is
// not.
#include "core/session/check_device.h"

#include "check.h"
#include "device/test_device.h"

using namespace adaptive;
using namespace adaptive::test;

TEST("a device that computes as the CPU does passes its check") {
  check(differenceOnDevice(at::kCPU).empty(), "nothing between the CPU and itself");
  const std::string found = differenceOnDevice(testDevice());
  check(found.empty(), "no difference, found that " + found);
}
