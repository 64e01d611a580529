// A device that is none, to see what the core does on one: its tensors lie in memory that the process may
// touch only while an operator runs on it. Its operators are the CUDA kernels in their emulation and
// libtorch's for the CPU. A host that reads or writes such a tensor by its pointer ends with SIGSEGV.
// Copies from and to pinned memory that the host does not wait for are done as late as the order of streams
// and their events allows.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

/// Which device of libtorch it is: its free one, or CUDA (as_cuda).
#ifndef ADAPTIVE_GUARDED_AS
#define ADAPTIVE_GUARDED_AS PrivateUse1
#endif
#define GUARDED_EXPORT __attribute__((visibility("default")))

namespace adaptive::test {

constexpr c10::DeviceType kGuardedType = c10::DeviceType::ADAPTIVE_GUARDED_AS;
constexpr c10::DispatchKey kGuardedKey = c10::DispatchKey::ADAPTIVE_GUARDED_AS;

/// Makes its memory and libtorch's operators on it known. Once.
void registerGuardedDevice();

/// Opens its memory, or closes it again; as often the one as the other.
GUARDED_EXPORT void openDeviceMemory(bool opens);

/// What ops::hostBytes and ops::pinnedBytes are there: copies from and to such memory that the host does not
/// wait for are done only when somebody waits for them.
GUARDED_EXPORT at::Tensor hostBytes(const at::Tensor& like, int64_t bytes);
GUARDED_EXPORT at::Tensor pinnedBytes(const at::Tensor& like, int64_t bytes);

/// What ops::freeBytes and ops::deviceMemory are there.
GUARDED_EXPORT int64_t freeBytes(const at::Tensor& like);
GUARDED_EXPORT std::tuple<int64_t, int64_t, int64_t> memoryCounts(const at::Tensor& like);

/// From now on an operator of libtorch that takes tensors of the device and the host is an error.
void refuseMixedOperators();

/// Copies between the device and the host, scalars included, those left out that it takes the CPU to compute
/// what a real device computes itself. The host waits for each that goes to it.
struct Crossings {
  int64_t toDevice = 0, toHost = 0, bytesToHost = 0;
  int64_t pageable = 0;  ///< of those to the device: not from memory made for it (ops::hostBytes)
  /// On streams of their own, in either direction, which the host does not wait for; not counted above.
  int64_t besides = 0;
  /// Of these to the host: begun though the stream did not wait for all that the device was told before.
  int64_t unordered = 0;
};
/// Since the process began.
Crossings crossings();

/// Lets tensors of the device take so many bytes more than they do now; what needs more is refused
/// (c10::OutOfMemoryError).
void limitDeviceMemory(int64_t more);
/// Bytes that tensors of the device take.
int64_t deviceMemory();
/// Lets ops::pinnedBytes() give out so many bytes from now on.
void limitPinnedMemory(int64_t bytes);

}  // namespace adaptive::test
