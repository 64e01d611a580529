// cuda_tests [part of a name]: runs the kernels of native/cuda on the CPU, all tests or those whose name
// contains it.
#include "check.h"

#ifdef ADAPTIVE_EMULATED_CUDA
constexpr const char* kWhere = "emulated on the CPU";
#else
constexpr const char* kWhere = "on the GPU";
#endif

int main(int argc, char** argv) {
  int failed = 0, run = 0;
  for (const auto& test : adaptive::test::tests()) {
    if (argc > 1 && test.name.find(argv[1]) == std::string::npos) continue;
    run++;
    try {
      test.run();
    } catch (const std::exception& error) {
      failed++;
      std::printf("FAILED %s\n  %s\n", test.name.c_str(), error.what());
    }
    std::fflush(stdout);
  }
  std::printf("%d of %d tests of the CUDA kernels passed (%s)\n", run - failed, run, kWhere);
  return failed > 0 || run == 0 ? 1 : 0;
}
