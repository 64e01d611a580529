// cuda_tests [parts of names]: runs the tests of the kernels of native/cuda, all or those whose names contain
// one of them.
#include "check.h"

#ifdef ADAPTIVE_EMULATED_CUDA
constexpr const char* kWhere = "emulated on the CPU";
#else
constexpr const char* kWhere = "on the GPU";
#endif

int main(int argc, char** argv) {
  return adaptive::test::runTests({argv + 1, argv + argc}, "tests of the CUDA kernels", kWhere);
}
