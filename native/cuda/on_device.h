// Where the launches of one operator go: the device of its tensors, and the stream that libtorch computes on.
#pragma once
#include <ATen/ATen.h>
#ifndef ADAPTIVE_EMULATED_CUDA
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "cuda/device.h"

namespace adaptive::cuda {

#ifdef ADAPTIVE_EMULATED_CUDA
class OnDevice {
 public:
  explicit OnDevice(const at::Tensor&) {
    if (atLaunch) atLaunch(true);
  }
  ~OnDevice() {
    if (atLaunch) atLaunch(false);
  }
  OnDevice(const OnDevice&) = delete;
  /// Told as the launches of an operator begin, and after them.
  static inline void (*atLaunch)(bool begins) = nullptr;
  const cudaStream_t stream = nullptr;
};
#else
/// Makes the tensor's device the current one for as long as it lives; a launch that failed throws at its end.
class OnDevice {
 public:
  explicit OnDevice(const at::Tensor& tensor)
      : guard_(tensor.device()), stream(c10::cuda::getCurrentCUDAStream()) {}
  ~OnDevice() noexcept(false) {
    if (std::uncaught_exceptions() == 0) C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  OnDevice(const OnDevice&) = delete;

 private:
  const c10::cuda::CUDAGuard guard_;

 public:
  const cudaStream_t stream;
};
#endif

/// f(T{}) for the type of activations that `dtype` names.
template <class F>
void forType(at::ScalarType dtype, const F& f) {
  if (dtype == at::kBFloat16) return f(bfloat16{});
  if (dtype == at::kHalf) return f(float16{});
  TORCH_CHECK(dtype == at::kFloat, "expected float32, bfloat16 or float16 activations, found ", dtype);
  f(float{});
}

/// f(T{}) for a type of 16 bits.
template <class F>
void forHalfType(at::ScalarType dtype, const F& f) {
  if (dtype == at::kBFloat16) return f(bfloat16{});
  TORCH_CHECK(dtype == at::kHalf, "expected bfloat16 or float16, found ", dtype);
  f(float16{});
}

template <class T>
const T* read(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <class T>
T* write(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

}  // namespace adaptive::cuda
