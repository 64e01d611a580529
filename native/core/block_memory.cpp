#include "core/block_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>
#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace adaptive {
#ifdef _WIN32

void useBlockMemory() {}
int64_t keptBlockBytes() { return 0; }
void releaseBlocks() {}

#else
namespace {

/// Smaller tensors are malloc's, which keeps them without being asked.
constexpr size_t kLeast = size_t{1} << 17;
/// So much may be kept above the most in use: a share of it, and a little in any case. Without, blocks are
/// cut and made larger at the moment when most is in use, step after step.
constexpr size_t kSlackShare = 128, kLeastSlack = size_t{4} << 20;
constexpr size_t kHugePage = size_t{2} << 20;

struct Block {
  char* data;
  size_t size;
};

/// Whole pages that hold `size`. Sizes that differ by less than a sixteenth are one size, so that rows of
/// about the same length use each other's blocks as they are.
size_t roundUp(size_t size) {
  size_t grain = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  while (grain * 32 <= size) grain *= 2;
  return (size + grain - 1) / grain * grain;
}

char* mapPages(size_t size) {
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : static_cast<char*>(data);
}

/// Asks for huge pages, which are touched 512 at a time. All of a block, for mremap wants one kind of page.
void adviseHugePages([[maybe_unused]] Block block) {
#ifdef MADV_HUGEPAGE
  if (block.size >= kHugePage) madvise(block.data, block.size, MADV_HUGEPAGE);
#endif
}

/// The block made larger, with the pages that it has; null where the system refuses.
char* grown([[maybe_unused]] Block block, [[maybe_unused]] size_t size) {
#ifdef MREMAP_MAYMOVE
  void* data = mremap(block.data, block.size, size, MREMAP_MAYMOVE);
  return data == MAP_FAILED ? nullptr : static_cast<char*>(data);
#else
  return nullptr;
#endif
}

/// A block that no tensor uses, by its address.
struct Kept {
  size_t size;
  /// Counts frees.
  uint64_t freedAt;
};

class BlockMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    char* data = size < kLeast ? nullptr : take(roundUp(size));
    // malloc's turn for small ones, and for the error when there is no memory.
    if (data == nullptr) return c10::GetDefaultCPUAllocator()->allocate(size);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t size) const override { std::memcpy(to, from, size); }

  int64_t keptBytes() {
    const std::lock_guard lock(mutex_);
    return static_cast<int64_t>(keptBytes_);
  }

  void releaseKept() {
    const std::lock_guard lock(mutex_);
    shrinkKept(0);
    mostInUse_ = inUse_;
  }

 private:
  char* take(size_t size) {
    const std::lock_guard lock(mutex_);
    char* data = takeKept(size);
    if (data == nullptr) {
      data = mapPages(size);
      if (data == nullptr) {
        shrinkKept(0);
        data = mapPages(size);
      }
      if (data == nullptr) return nullptr;
      adviseHugePages({data, size});
    }
    used_.emplace(data, size);
    inUse_ += size;
    mostInUse_ = std::max(mostInUse_, inUse_);
    shrinkKept(mostHeld() - inUse_);
    return data;
  }

  /// From the smallest kept block that is large enough; or else, where what is kept must shrink anyway, the
  /// largest one, made larger. Null where there is neither.
  char* takeKept(size_t size) {
    auto best = kept_.end(), largest = kept_.begin();
    for (auto each = kept_.begin(); each != kept_.end(); ++each) {
      if (each->second.size >= size && (best == kept_.end() || each->second.size < best->second.size))
        best = each;
      if (each->second.size > largest->second.size) largest = each;
    }
    const bool isFull = keptBytes_ + inUse_ + size > mostHeld();
    if (best != kept_.end() && (best->second.size == size || isFull)) {
      const auto [data, block] = *best;
      kept_.erase(best);
      if (block.size > size) kept_.emplace(data + size, Kept{block.size - size, block.freedAt});
      keptBytes_ -= size;
      return data;
    }
    if (largest == kept_.end() || !isFull) return nullptr;
    char* data = grown({largest->first, largest->second.size}, size);
    if (data == nullptr) return nullptr;
    adviseHugePages({data, size});
    keptBytes_ -= largest->second.size;
    kept_.erase(largest);
    return data;
  }

  size_t mostHeld() const { return mostInUse_ + std::max(mostInUse_ / kSlackShare, kLeastSlack); }

  /// What was freed first goes first, as far as it must, from its end.
  void shrinkKept(size_t most) {
    while (keptBytes_ > most) {
      const auto oldest = std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
        return a.second.freedAt < b.second.freedAt;
      });
      Kept& block = oldest->second;
      const size_t excess = std::min(keptBytes_ - most, block.size);
      block.size -= excess;
      keptBytes_ -= excess;
      munmap(oldest->first + block.size, excess);
      if (block.size == 0) kept_.erase(oldest);
    }
  }

  bool keep(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(static_cast<char*>(data));
    if (found == used_.end()) return false;
    const auto [start, size] = *found;
    used_.erase(found);
    inUse_ -= size;
    keptBytes_ += size;
    joinNeighbours(kept_.emplace(start, Kept{size, ++frees_}).first);
    return true;
  }

  /// A block cut for smaller tensors is whole again once they are gone.
  void joinNeighbours(std::map<char*, Kept>::iterator block) {
    const auto next = std::next(block);
    if (next != kept_.end() && block->first + block->second.size == next->first) {
      block->second.size += next->second.size;
      kept_.erase(next);
    }
    if (block == kept_.begin()) return;
    const auto before = std::prev(block);
    if (before->first + before->second.size != block->first) return;
    before->second = {before->second.size + block->second.size, block->second.freedAt};
    kept_.erase(block);
  }

  static void release(void* data);

  std::mutex mutex_;
  std::unordered_map<char*, size_t> used_;
  std::map<char*, Kept> kept_;
  size_t keptBytes_ = 0, inUse_ = 0, mostInUse_ = 0;
  uint64_t frees_ = 0;
};

/// Never destroyed: tensors of static storage may be freed after it.
BlockMemory& blockMemory() {
  static BlockMemory& memory = *new BlockMemory;
  return memory;
}

void BlockMemory::release(void* data) {
  if (!blockMemory().keep(data)) c10::free_cpu(data);
}

}  // namespace

void useBlockMemory() { c10::SetCPUAllocator(&blockMemory()); }
int64_t keptBlockBytes() { return blockMemory().keptBytes(); }
void releaseBlocks() { blockMemory().releaseKept(); }

#endif
}  // namespace adaptive
