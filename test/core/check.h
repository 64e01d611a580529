// What tests of core compare with: tensors, and errors.
#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "harness.h"

namespace adaptive::test {

/// |actual − expected| ≤ tolerance.
void checkNear(double actual, double expected, double tolerance, const std::string& what = "value",
               Where where = Where::current());

/// Same shape, and no entry further off than `tolerance` times the largest expected one. The worst entry is
/// printed.
void checkClose(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                const std::string& what = "tensor", Where where = Where::current());

/// Same shape, type and values, bit for bit.
void checkSame(const at::Tensor& actual, const at::Tensor& expected, const std::string& what = "tensor",
               Where where = Where::current());

/// `work` throws adaptive::Error with this code, and a message that contains `words`.
void checkFails(const std::string& code, const std::string& words, const std::function<void()>& work,
                Where where = Where::current());

/// currentMessage(), of libtorch's errors without what follows them.
std::string messageOfLibtorch();

/// Standard normal float64 values; the same on every call with the same seed.
at::Tensor normal(at::IntArrayRef shape, uint64_t seed);

}  // namespace adaptive::test
