// A device that is none, to see what the core does on one: its tensors lie in memory that the process may
// touch only while an operator runs on it. Its operators are the CUDA kernels in their emulation and
// libtorch's for the CPU. A host that reads or writes such a tensor by its pointer ends with SIGSEGV.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

namespace adaptive::test {

/// Registers the device. Once, before anything is computed.
void registerGuardedDevice();

at::Device guardedDevice();

/// As long as it lives, each operator that takes a tensor of the device together with one of the CPU that is
/// no scalar is written down, but for copies.
class MixedCalls {
 public:
  MixedCalls();
  ~MixedCalls();
  std::vector<std::string> seen() const;

 private:
  uint64_t handle_;
};

}  // namespace adaptive::test
