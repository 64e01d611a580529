// What tests of kernels, run in the emulation or compiled with nvcc on a GPU, are compared with float64 by.
// No dependency.
#pragma once
#include <cstdio>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "../core/harness.h"
#include "cuda/kernels.h"

namespace adaptive::test {

using cuda::bfloat16;
using cuda::float16;
using cuda::fromFloat;
using cuda::toFloat;

/// Half the distance of neighbouring values of a type, relative.
template <class T>
constexpr double kRounding = 6e-8;
template <>
inline constexpr double kRounding<bfloat16> = 3.91e-3;
template <>
inline constexpr double kRounding<float16> = 4.89e-4;

#ifdef ADAPTIVE_EMULATED_CUDA
template <class T>
T* allocate(int64_t count) {
  return new T[count];
}
template <class T>
void release(T* memory) {
  delete[] memory;
}
inline void settle() {}
#else
/// Waits for what was launched. Throws what went wrong with it.
inline void settle() {
  const cudaError_t error = cudaDeviceSynchronize();
  if (error != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(error));
}
/// Memory that the host and the device both see.
template <class T>
T* allocate(int64_t count) {
  void* memory = nullptr;
  const cudaError_t error = cudaMallocManaged(&memory, count * sizeof(T));
  if (error != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(error));
  return static_cast<T*>(memory);
}
template <class T>
void release(T* memory) {
  cudaFree(memory);
}
#endif

/// Device memory of a test: not aligned to 16 bytes, and with entries before and after that nobody may touch.
template <class T>
class Device {
 public:
  explicit Device(int64_t count, float value = -7.f) : count_(count), all_(allocate<T>(count + 2 * kMargin)) {
    for (int64_t i = 0; i < count + 2 * kMargin; i++) all_[i] = guard();
    for (int64_t i = 0; i < count; i++) data()[i] = number<T>(value);
  }
  explicit Device(const std::vector<double>& values) : Device(static_cast<int64_t>(values.size())) {
    for (int64_t i = 0; i < count_; i++) data()[i] = number<T>(values[i]);
  }
  ~Device() {
#ifndef ADAPTIVE_EMULATED_CUDA
    cudaDeviceSynchronize();  // a failure was told where a result was read
#endif
    for (int64_t i = 0; i < kMargin; i++) {
      if (value(all_[i]) != value(guard()) || value(all_[kMargin + count_ + i]) != value(guard())) {
        std::fprintf(stderr, "a kernel wrote beyond the %lld entries it was given\n",
                     static_cast<long long>(count_));
        std::abort();
      }
    }
    release(all_);
  }
  Device(const Device&) = delete;
  /// To launch with, or to write through before a launch.
  T* data() { return all_ + kMargin; }
  double operator[](int64_t i) {
    settle();
    return value(data()[i]);
  }
  int64_t size() const { return count_; }
  std::vector<double> values() {
    std::vector<double> out(count_);
    for (int64_t i = 0; i < count_; i++) out[i] = (*this)[i];
    return out;
  }

 private:
  static constexpr int64_t kMargin = 9;
  template <class N>
  static N number(double value) {
    if constexpr (std::is_arithmetic_v<N>) {
      return static_cast<N>(value);
    } else {
      return fromFloat<N>(static_cast<float>(value));
    }
  }
  static double value(T stored) {
    if constexpr (std::is_arithmetic_v<T>) {
      return static_cast<double>(stored);
    } else {
      return toFloat(stored);
    }
  }
  static T guard() { return number<T>(99); }

  int64_t count_;
  T* all_;
};

/// Normal numbers of this deviation; the same for the same seed.
inline std::vector<double> normal(int64_t count, unsigned seed, double deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> draw(0, deviation);
  std::vector<double> out(count);
  for (double& value : out) value = draw(random);
  return out;
}

/// |actual − expected| ≤ relative·|expected| + absolute, or both NaN, or both the same infinity.
template <class T>
void checkClose(Device<T>& actual, const std::vector<double>& expected, double relative, double absolute,
                const std::string& what, Where where = Where::current()) {
  check(actual.size() == static_cast<int64_t>(expected.size()), what + " of another size", where);
  for (int64_t i = 0; i < actual.size(); i++) {
    const double a = actual[i], e = expected[i];
    if (a == e || (a != a && e != e)) continue;
    if (!(std::abs(a - e) <= relative * std::abs(e) + absolute)) {
      char text[200];
      std::snprintf(text, sizeof text, " entry %lld: %.9g, found %.9g", static_cast<long long>(i), e, a);
      check(false, what + text, where);
    }
  }
}

/// f() with the threads of each block in their order, and in two others.
inline void inEveryOrder(const std::function<void()>& f) {
  for (const unsigned seed : {0u, 1u, 2u}) {
#ifdef ADAPTIVE_EMULATED_CUDA
    emulated::seed = seed;
#else
    if (seed > 0) break;  // a device orders them itself
#endif
    f();
  }
}

/// f(T{}) for each type of activations.
template <class F>
void forTypes(const F& f) {
  f(float{}), f(bfloat16{}), f(float16{});
}

}  // namespace adaptive::test
