#include "device/guarded_kernels.h"

#include <ATen/ATen.h>

#include "cuda/on_device.h"
#include "cuda/register_kernels.h"
#include "device/guarded_device.h"

namespace adaptive::test {
namespace {

/// The same memory as a tensor of the CPU, which may be touched while the device's is open.
at::Tensor onCpu(const at::Tensor& tensor) {
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [](void*) {}, tensor.options().device(at::kCPU),
      at::kCPU);
}

/// As CUDA has it: into float32, without a temporary on the device.
void floatProduct(at::Tensor out, const at::Tensor& a, const at::Tensor& b, double beta, double scale) {
  openDeviceMemory(true);
  onCpu(out).addmm_(onCpu(a).to(at::kFloat), onCpu(b).to(at::kFloat), beta, scale);
  openDeviceMemory(false);
}

}  // namespace

void registerGuardedKernels(torch::Library& own) {
  cuda::OnDevice::atLaunch = &openDeviceMemory;
  cuda::registerAttentionKernels(own);
  cuda::registerLayerKernels(own);
  cuda::registerLossKernels(own);
  cuda::registerOptimizerKernels(own);
  own.impl("float_product_", &floatProduct);
  own.impl("free_bytes", &freeBytes);
  own.impl("device_memory", &memoryCounts);
  own.impl("host_bytes", &hostBytes);
  own.impl("pinned_bytes", &pinnedBytes);
}

}  // namespace adaptive::test
