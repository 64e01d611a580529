// Blocks of memory kept between steps: what tensors hold stays theirs, and what is kept never adds to the
// most that was in use.
#include "core/block_memory.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

#ifndef _WIN32
namespace {

constexpr int64_t kMebibyte = 1 << 20;

struct WithBlocks {
  WithBlocks() { useBlockMemory(), releaseBlocks(); }
  ~WithBlocks() { releaseBlocks(), c10::SetCPUAllocator(c10::GetDefaultCPUAllocator()); }
};

Tensor bytes(int64_t count) { return at::empty({count}, at::kByte); }

/// With no tensor made.
bool holdsOnly(const Tensor& tensor, int value) {
  const auto* data = tensor.const_data_ptr<uint8_t>();
  return std::all_of(data, data + tensor.numel(), [value](uint8_t each) { return each == value; });
}

/// Tensors of random sizes are made and freed; each must hold what was written to it.
void makeAndFree(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::pair<Tensor, int>> alive;
  for (int i = 0; i < 400; i++) {
    if (alive.size() < 8 && random() % 3 != 0) {
      const int value = static_cast<int>(random() % 256);
      alive.emplace_back(bytes(static_cast<int64_t>(random() % (6 * kMebibyte)) + 1).fill_(value), value);
    } else if (!alive.empty()) {
      const size_t which = random() % alive.size();
      check(holdsOnly(alive[which].first, alive[which].second), "a tensor holds what was written");
      alive.erase(alive.begin() + static_cast<ptrdiff_t>(which));
    }
  }
}

}  // namespace

TEST("kept blocks: the next tensor of the size gets the pages of the last") {
  const WithBlocks blocks;
  const void* first = bytes(3 * kMebibyte).data_ptr();
  check(keptBlockBytes() >= 3 * kMebibyte, "kept");
  const Tensor again = bytes(3 * kMebibyte);
  check(again.data_ptr() == first, "the same block");
  check(keptBlockBytes() == 0, "nothing is kept while it is in use");
  const Tensor small = bytes(kMebibyte / 16);
  check(keptBlockBytes() == 0, "small tensors are malloc's");
}

TEST("kept blocks: with those in use hardly more than the most that was in use") {
  const WithBlocks blocks;
  const int64_t most = 128 * kMebibyte, slack = 4 * kMebibyte;
  { const Tensor a = bytes(most / 2), b = bytes(most / 2); }
  check(keptBlockBytes() == most, "both are kept");
  {
    // Larger than each of them.
    const Tensor c = bytes(96 * kMebibyte).fill_(1);
    check(keptBlockBytes() <= 32 * kMebibyte + slack, "what is above goes back");
    const Tensor d = bytes(16 * kMebibyte).fill_(2);
    check(keptBlockBytes() <= 16 * kMebibyte + slack, "a part of what is kept is enough");
    check(holdsOnly(c, 1) && holdsOnly(d, 2), "blocks do not overlap");
  }
  check(keptBlockBytes() >= 112 * kMebibyte && keptBlockBytes() <= most + slack, "all is kept again");
  releaseBlocks();
  check(keptBlockBytes() == 0, "given back");
}

TEST("kept blocks: one cut for smaller tensors is whole again once they are gone") {
  const WithBlocks blocks;
  const void* whole = bytes(64 * kMebibyte).data_ptr();
  // In use beside it, so that there is no room for blocks of their own.
  const Tensor other = bytes(4 * kMebibyte);
  {
    std::vector<Tensor> parts;
    for (int i = 0; i < 16; i++) parts.push_back(bytes(4 * kMebibyte).fill_(i));
    check(parts[0].data_ptr() == whole && keptBlockBytes() == 0, "cut into all of them");
    // Freed in another order than they were made in.
    for (const int i : {3, 0, 7, 1, 2}) parts[i].reset();
  }
  check(keptBlockBytes() == 64 * kMebibyte, "all is kept");
  check(bytes(64 * kMebibyte).data_ptr() == whole, "in one piece");
}

TEST("kept blocks: tensors of any size, on several threads, keep what they hold") {
  const WithBlocks blocks;
  makeAndFree(1);
  std::vector<std::thread> threads;
  for (unsigned seed = 2; seed < 5; seed++) threads.emplace_back(makeAndFree, seed);
  for (auto& thread : threads) thread.join();
}

TEST("kept blocks: memory that cannot be had is the error that it was, and the next tensor is made") {
  const WithBlocks blocks;
  bool failed = false;
  try {
    bytes(int64_t{1} << 60);
  } catch (const c10::Error& error) {
    failed = std::string(error.what()).find("can't allocate memory") != std::string::npos;
  }
  check(failed, "libtorch's error");
  check(holdsOnly(bytes(2 * kMebibyte).fill_(3), 3), "and on");
}
#endif
