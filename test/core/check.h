// The harness of core_tests: TEST registers a function, the check… functions throw what main.cpp prints. No
// dependency.
#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "core/error.h"

namespace adaptive::test {

using Where = std::source_location;

struct Test {
  std::string name;
  std::function<void()> run;
};

/// All registered tests.
std::vector<Test>& tests();

struct Registration {
  Registration(std::string name, std::function<void()> run);
};

/// Ends the test with a message that names the line.
[[noreturn]] void failAt(const Where& where, const std::string& message);

void check(bool holds, const std::string& what, Where where = Where::current());

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

/// Standard normal float64 values; the same on every call with the same seed.
at::Tensor normal(at::IntArrayRef shape, uint64_t seed);

}  // namespace adaptive::test

#define ADAPTIVE_JOIN_(a, b) a##b
#define ADAPTIVE_JOIN(a, b) ADAPTIVE_JOIN_(a, b)
#define TEST(name)                                                                   \
  static void ADAPTIVE_JOIN(test, __LINE__)();                                       \
  static const ::adaptive::test::Registration ADAPTIVE_JOIN(registration, __LINE__)( \
      name, &ADAPTIVE_JOIN(test, __LINE__));                                         \
  static void ADAPTIVE_JOIN(test, __LINE__)()
