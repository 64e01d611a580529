// Tells ThreadSanitizer where a parallel region begins and ends. libgomp is not instrumented and orders its
// threads with futexes, which the sanitizer does not see: without this every region would look like a race
// with what comes before and after it. What threads of one region do to each other stays unordered, and is
// reported. Linked into core_tests for the build type ThreadSanitize alone.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

using Body = void (*)(void*);

struct Region {
  Body body;
  void* data;
  char begin = 0, end = 0;  ///< addresses that stand for the two points in time
};

void runOrdered(void* argument) {
  auto* region = static_cast<Region*>(argument);
  __tsan_acquire(&region->begin);
  region->body(region->data);
  __tsan_release(&region->end);
}

}  // namespace

/// Takes the place of libgomp's function of this name, which `#pragma omp parallel` compiles to.
extern "C" __attribute__((visibility("default"))) void GOMP_parallel(Body body, void* data, unsigned threads,
                                                                     unsigned flags) {
  using Parallel = void (*)(Body, void*, unsigned, unsigned);
  static const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_NEXT, "GOMP_parallel"));
  Region region{body, data};
  __tsan_release(&region.begin);
  parallel(runOrdered, &region, threads, flags);
  __tsan_acquire(&region.end);
}
