// Products of 16 bits into float32, the memory that is left, and memory of the host beside it.
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"
#ifdef ADAPTIVE_EMULATED_CUDA
#include "core/available_memory.h"
#else
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace adaptive::cuda::operators {
namespace {

using at::Tensor;

/// Emulated by way of float32, as libtorch has it on CUDA alone.
void floatProduct_(Tensor out, const Tensor& a, const Tensor& b, double beta, double scale) {
#ifdef ADAPTIVE_EMULATED_CUDA
  out.addmm_(a.to(at::kFloat), b.to(at::kFloat), beta, scale);
#else
  at::addmm_out(out, out, a, b, at::kFloat, beta, scale);
#endif
}

#ifdef ADAPTIVE_EMULATED_CUDA
int64_t freeBytes(const Tensor& /*like*/) { return availableMemory(); }
std::tuple<int64_t, int64_t, int64_t> deviceMemory(const Tensor& /*like*/) { return {0, 0, 0}; }
Tensor hostBytes(const Tensor& /*like*/, int64_t bytes) { return at::empty({bytes}, at::kByte); }
Tensor pinnedBytes(const Tensor& like, int64_t bytes) { return hostBytes(like, bytes); }
#else
/// What the driver has left, and what libtorch has taken of it and would give out again.
int64_t freeBytes(const Tensor& like) {
  const OnDevice on(like);
  size_t free = 0, all = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &all));
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(like.device().index());
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return static_cast<int64_t>(free) + stats.reserved_bytes[kAll].current -
         stats.allocated_bytes[kAll].current;
}

std::tuple<int64_t, int64_t, int64_t> deviceMemory(const Tensor& like) {
  const OnDevice on(like);
  size_t free = 0, all = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &all));
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(like.device().index());
  const auto& held = stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  return {static_cast<int64_t>(all), held.current, held.peak};
}

/// Pinned. libtorch gives a block out again only once the copies that were begun from or to it have ended: a
/// micro-batch is written into one while the copy of that before it may still run.
Tensor hostBytes(const Tensor& /*like*/, int64_t bytes) {
  return at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(true));
}

/// From the driver: libtorch's allocator rounds up to a power of two, and keeps what is given back.
Tensor pinnedBytes(const Tensor& like, int64_t bytes) {
  const OnDevice on(like);
  void* data = nullptr;
  const cudaError_t refused = cudaHostAlloc(&data, static_cast<size_t>(bytes), cudaHostAllocDefault);
  if (refused != cudaSuccess) cudaGetLastError();  // or the next launch is taken for the one that failed
  TORCH_CHECK_WITH(OutOfMemoryError, refused == cudaSuccess, "CUDA did not pin ", bytes,
                   " bytes of the host's memory: ", cudaGetErrorString(refused));
  return at::from_blob(
      data, {bytes}, [](void* own) { cudaFreeHost(own); }, at::kByte);
}
#endif

}  // namespace
}  // namespace adaptive::cuda::operators

namespace adaptive::cuda {

void registerProducts(torch::Library& m) {
  m.impl("float_product_", &operators::floatProduct_);
  m.impl("free_bytes", &operators::freeBytes);
  m.impl("device_memory", &operators::deviceMemory);
  m.impl("host_bytes", &operators::hostBytes);
  m.impl("pinned_bytes", &operators::pinnedBytes);
}

}  // namespace adaptive::cuda
