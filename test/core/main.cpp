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
  const auto isWanted = [&](const std::string& name) {
    return parts.empty() || std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
             return name.find(part) != std::string::npos;
           });
  };
  int failed = 0, run = 0;
  for (const auto& test : adaptive::test::tests()) {
    if (!isWanted(test.name)) continue;
    run++;
    try {
      test.run();
    } catch (const c10::Error& error) {
      failed++;
      std::printf("FAILED %s\n  libtorch: %s\n", test.name.c_str(), error.what_without_backtrace());
    } catch (const std::exception& error) {
      failed++;
      std::printf("FAILED %s\n  %s\n", test.name.c_str(), error.what());
    } catch (...) {
      failed++;
      std::printf("FAILED %s\n  an exception of unknown type\n", test.name.c_str());
    }
    std::fflush(stdout);
  }
  std::printf("%d of %d core tests passed (%s)\n", run - failed, run, at::get_cpu_capability().c_str());
  return failed > 0 || run == 0 ? 1 : 0;
}
