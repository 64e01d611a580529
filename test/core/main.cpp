// core_tests [--emulated-cuda] [parts of names]: runs the tests of native/core, all or those whose names
// contain one of them. With --emulated-cuda the operators are the CUDA kernels, run on the CPU. Exits with 77
// when ATEN_CPU_CAPABILITY asks for instructions that this CPU lacks (CTest counts that as skipped).
#include <ATen/Version.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "check.h"
#ifdef ADAPTIVE_EMULATED_CUDA
#include "emulated_cuda.h"
#endif

namespace {

constexpr int kSkipped = 77;

/// libtorch believes the variable; the first kernel would end in SIGILL.
bool cpuHas(const std::string& capability) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (capability == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (capability == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  }
  return true;
#else
  return capability == "default";
#endif
}

bool runsAs(std::string wanted) {
  std::string actual = at::get_cpu_capability();
  for (std::string* name : {&wanted, &actual})
    std::transform(name->begin(), name->end(), name->begin(),
                   [](unsigned char c) { return std::tolower(c); });
  return wanted == actual;
}

}  // namespace

int main(int argc, char** argv) {
  const char* capability = std::getenv("ATEN_CPU_CAPABILITY");
  if (capability && !cpuHas(capability)) {
    std::printf("skipped: this CPU has no %s\n", capability);
    return kSkipped;
  }
  if (capability && !runsAs(capability)) {
    std::printf("Expected to run with %s, but libtorch runs with %s.\n", capability,
                at::get_cpu_capability().c_str());
    return 1;
  }
  std::vector<std::string> parts(argv + 1, argv + argc);
#ifdef ADAPTIVE_EMULATED_CUDA
  std::optional<adaptive::test::EmulatedCuda> cuda;
  if (!parts.empty() && parts[0] == "--emulated-cuda") {
    cuda.emplace();
    parts.erase(parts.begin());
  }
#endif
  return adaptive::test::runTests(parts, "core tests", at::get_cpu_capability(),
                                  &adaptive::test::messageOfLibtorch);
}
