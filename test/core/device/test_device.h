// The device that device_tests trains on: the guarded one (guarded_device.h), or a GPU (cuda_device.cpp).
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

namespace adaptive::test {

/// Makes the device known. Once, before anything is computed.
void openTestDevice();
at::Device testDevice();
/// What it is, for a line about the tests.
std::string testDeviceName();

/// As long as it lives, each operator that takes a tensor of the device together with one of the CPU that is
/// no scalar is written down, but for copies.
class MixedCalls {
 public:
  MixedCalls();
  ~MixedCalls();
  /// Their names, each once, a space before each.
  std::string names() const;

 private:
  uint64_t handle_;
};

}  // namespace adaptive::test
