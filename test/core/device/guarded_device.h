// A device that is none, to see what the core does on one: its tensors lie in memory that the process may
// touch only while an operator runs on it. Its operators are the CUDA kernels in their emulation and
// libtorch's for the CPU. A host that reads or writes such a tensor by its pointer ends with SIGSEGV.
#pragma once
#include <cstdint>

namespace adaptive::test {

/// Copies between the device and the host, scalars included, those left out that it takes the CPU to compute
/// what a real device computes itself. The host waits for each that goes to it.
struct Crossings {
  int64_t toDevice = 0, toHost = 0, bytesToHost = 0;
  int64_t pageable = 0;  ///< of those to the device: not from memory made for it (ops::hostBytes)
};
/// Since the process began.
Crossings crossings();

/// Lets tensors of the device take so many bytes more than they do now; what needs more is refused
/// (c10::OutOfMemoryError).
void limitDeviceMemory(int64_t more);

}  // namespace adaptive::test
