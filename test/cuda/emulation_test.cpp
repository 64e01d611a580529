// What the emulation shows of kernels that are wrong.
#ifdef ADAPTIVE_EMULATED_CUDA
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "check.h"

using namespace adaptive::test;

namespace {

/// Whether a process of its own that does this is ended by the emulation or the harness.
bool aborts(const std::function<void()>& wrong) {
  const pid_t child = fork();
  if (child == 0) {
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(1);
    wrong();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

void readUnwritten(float* out) {
  SHARED(float, values, 64);
  if (threadIdx.x < 32) values[threadIdx.x] = 1;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = values[threadIdx.x];
}

void meetInPart() {
  if (threadIdx.x < 7) __syncthreads();
  if (threadIdx.x >= 7) __syncwarp();
}

void shuffleInPart() { __shfl_xor_sync(0xffffu, 1.f, 1); }

void addUp(float* sum, bool waits) {
  SHARED(float, total, 1);
  if (threadIdx.x == 0) *total = 5;
  if (waits) __syncthreads();
  sum[threadIdx.x] = *total;
}

}  // namespace

TEST("emulation: shared memory that nobody wrote is NaN, in every block") {
  Device<float> out(128);
  float* data = out.data();
  LAUNCH(readUnwritten, dim3(2), dim3(64), nullptr, data);
  for (int i = 0; i < 128; i++)
    check((out[i] == 1) == (i % 64 < 32) && (out[i] != out[i]) == (i % 64 >= 32), "NaN");
}

TEST("emulation: what is read before a barrier that is missing depends on the order") {
  int wrong = 0;
  Device<float> sum(64);
  float* data = sum.data();
  for (const bool waits : {true, false}) {
    wrong = 0;
    for (const unsigned seed : {1u, 2u, 3u}) {
      emulated::seed = seed;
      LAUNCH(addUp, dim3(1), dim3(64), nullptr, data, waits);
      for (int i = 0; i < 64; i++) wrong += sum[i] != 5;
    }
    check(waits ? wrong == 0 : wrong > 0, "a difference without the barrier alone");
  }
}

TEST(
    "emulation: barriers and shuffles that not every thread reaches, and writes beyond a buffer, end the "
    "process") {
  check(aborts([] { LAUNCH(meetInPart, dim3(1), dim3(64), nullptr); }), "an end at the barrier");
  check(aborts([] { LAUNCH(shuffleInPart, dim3(1), dim3(32), nullptr); }), "an end at the shuffle");
  check(aborts([] { LAUNCH(shuffleInPart, dim3(0), dim3(32), nullptr); }),
        "an end at a launch without blocks");
  check(aborts([] {
          Device<float> buffer(3);
          buffer.data()[3] = 1;
        }),
        "an end after a write beyond a buffer");
  check(!aborts([] {
    float sum = 0, *data = &sum;
    LAUNCH(addUp, dim3(1), dim3(1), nullptr, data, true);
  }),
        "no end where nothing is wrong");
}
#endif
