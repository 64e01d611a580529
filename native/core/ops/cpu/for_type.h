#pragma once
#include <c10/core/ScalarType.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>
#include <c10/util/Half.h>

namespace adaptive::cpu {

/// Runs f(T{}) for the type of activations that `dtype` names.
template <class F>
auto forType(at::ScalarType dtype, const F& f) {
  if (dtype == at::kBFloat16) return f(c10::BFloat16{});
  if (dtype == at::kHalf) return f(c10::Half{});
  TORCH_CHECK(dtype == at::kFloat, "expected float32, bfloat16 or float16 activations, found ", dtype);
  return f(float{});
}

}  // namespace adaptive::cpu
