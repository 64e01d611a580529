// Runs CUDA kernels on a CPU, for tests: the threads of a block are fibers of one OS thread, switched at
// barriers and at warp collectives, in an order drawn from a seed. A missing barrier shows as a difference
// between seeds, a barrier that not every thread reaches ends the process, and shared memory starts as NaN in
// every block. Not shown: races between the instructions of two barriers, alignment, and the order of memory
// accesses.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __grid_constant__

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct __nv_bfloat16 {
  uint16_t bits;
};
struct __half {
  _Float16 value;
};
using cudaStream_t = void*;
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {

constexpr size_t kStack = 65536;

enum class Wait { None, Block, Warp, Done };

struct Fiber {
  ucontext_t start;
  jmp_buf at;
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStack);
  bool started = false;
  Wait wait = Wait::None;
  unsigned exchanges = 0;  ///< with the other lanes of its warp
};

/// What the lanes of a warp exchange, in turns: none is two exchanges ahead of another.
struct Warp {
  uint64_t slots[2][32];
};

inline unsigned seed = 0;  ///< 0: threads run in their order; otherwise in one drawn anew after each barrier
inline std::vector<std::unique_ptr<Fiber>> fibers;
inline std::vector<Warp> warps;
inline unsigned threads, current;
inline jmp_buf scheduler;
inline std::function<void()> body;
inline std::map<const void*, std::vector<char>> shared;  ///< of the block that runs

[[noreturn]] inline void die(const char* what) {
  std::fprintf(stderr, "emulated CUDA: %s, in block %u, thread %u\n", what, blockIdx.x, current);
  std::abort();
}

inline void yieldFor(Wait wait) {
  Fiber& fiber = *fibers[current];
  fiber.wait = wait;
  if (_setjmp(fiber.at) == 0) _longjmp(scheduler, 1);
}

inline void runFiber() {
  for (;;) {
    body();
    yieldFor(Wait::Done);
  }
}

/// Runs thread i until it waits for something.
[[gnu::noinline]] inline void resume(unsigned i) {
  Fiber& fiber = *fibers[i];
  current = i;
  threadIdx = dim3(i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y);
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.at, 1);
  fiber.started = true;
  getcontext(&fiber.start);
  fiber.start.uc_stack.ss_sp = fiber.stack.get(), fiber.start.uc_stack.ss_size = kStack;
  fiber.start.uc_link = nullptr;
  makecontext(&fiber.start, runFiber, 0);
  setcontext(&fiber.start);
}

inline unsigned waiting(Wait wait) {
  unsigned count = 0;
  for (unsigned i = 0; i < threads; i++) count += fibers[i]->wait == wait;
  return count;
}

inline bool releaseWarp(unsigned lane) {
  const unsigned first = lane / 32 * 32, end = std::min(threads, first + 32);
  for (unsigned i = first; i < end; i++)
    if (fibers[i]->wait != Wait::Warp) return false;
  for (unsigned i = first; i < end; i++) fibers[i]->wait = Wait::None;
  return true;
}

/// Lets those go on for whom all have come that they wait for.
inline bool release() {
  bool any = false;
  const unsigned atBarrier = waiting(Wait::Block);
  if (atBarrier > 0 && atBarrier + waiting(Wait::Done) == threads) {
    for (unsigned i = 0; i < threads; i++)
      if (fibers[i]->wait == Wait::Block) fibers[i]->wait = Wait::None;
    return true;
  }
  for (unsigned i = 0; i < threads; i++) any |= fibers[i]->wait == Wait::Warp && releaseWarp(i);
  return any;
}

inline void runBlock(std::vector<unsigned>& order, std::mt19937& random) {
  for (auto& [key, bytes] : shared) std::fill(bytes.begin(), bytes.end(), '\xff');
  for (unsigned i = 0; i < threads; i++) fibers[i]->wait = Wait::None, fibers[i]->exchanges = 0;
  for (;;) {
    if (seed != 0) std::shuffle(order.begin(), order.end(), random);
    for (const unsigned i : order)
      if (fibers[i]->wait == Wait::None) resume(i);
    if (waiting(Wait::Done) == threads) return;
    if (!release()) die("a barrier that not every thread reaches");
  }
}

inline void launch(dim3 grid, dim3 block, std::function<void()> kernel) {
  if (grid.x * grid.y * grid.z == 0 || block.x * block.y * block.z > 1024) die("a launch that CUDA refuses");
  body = std::move(kernel), gridDim = grid, blockDim = block;
  threads = block.x * block.y * block.z;
  while (fibers.size() < threads) fibers.push_back(std::make_unique<Fiber>());
  warps.assign((threads + 31) / 32, {});
  shared.clear();
  std::vector<unsigned> order(threads);
  for (unsigned i = 0; i < threads; i++) order[i] = i;
  std::mt19937 random(seed);
  for (unsigned z = 0; z < grid.z; z++) {
    for (unsigned y = 0; y < grid.y; y++) {
      for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = dim3(x, y, z);
        runBlock(order, random);
      }
    }
  }
}

/// The memory of one `SHARED` declaration, the same for every thread of a block.
template <class T>
T* sharedArray(const void* declaration, size_t count) {
  std::vector<char>& bytes = shared[declaration];
  if (bytes.empty()) bytes.assign(count * sizeof(T), '\xff');
  return reinterpret_cast<T*>(bytes.data());
}

template <class T>
T exchange(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  if (mask != ~0u) die("a shuffle of part of a warp, which the emulation does not know");
  auto& slots = warps[current / 32].slots[fibers[current]->exchanges++ % 2];
  std::memcpy(&slots[current % 32], &value, sizeof value);
  yieldFor(Wait::Warp);
  std::memcpy(&value, &slots[source % 32], sizeof value);
  return value;
}

}  // namespace emulated

inline void __syncthreads() { emulated::yieldFor(emulated::Wait::Block); }
inline void __syncwarp() { emulated::yieldFor(emulated::Wait::Warp); }
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return emulated::exchange(mask, value, emulated::current % 32 ^ lanes);
}
template <class T>
T atomicAdd(T* sum, T value) {
  return std::exchange(*sum, *sum + value);
}

inline uint32_t __float_as_uint(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __uint_as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float __bfloat162float(__nv_bfloat16 value) { return __uint_as_float(uint32_t{value.bits} << 16); }
inline __nv_bfloat16 __float2bfloat16(float value) {
  const uint32_t bits = __float_as_uint(value);
  return {static_cast<uint16_t>(value != value ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
inline __nv_bfloat16 __ushort_as_bfloat16(uint16_t bits) { return {bits}; }
inline float __half2float(__half half) { return static_cast<float>(half.value); }
inline __half __float2half(float value) { return {static_cast<_Float16>(value)}; }

#define SHARED(T, name, count)   \
  static const char name##Id{0}; \
  T* const name = emulated::sharedArray<T>(&name##Id, count)
// The arguments are copied when the launch is made, as CUDA does.
#define LAUNCH(kernel, grid, block, stream, ...) \
  emulated::launch(grid, block, [=] { (void)(stream), kernel(__VA_ARGS__); })
