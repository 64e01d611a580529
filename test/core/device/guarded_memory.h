// The memory of the guarded device: closed to the process unless something holds it open.
#pragma once
#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "device/guarded_streams.h"
#include "device/test_device.h"

namespace adaptive::test {

class GuardedMemory final : public c10::Allocator {
 public:
  static constexpr size_t kSize = size_t{1} << 29;

  GuardedMemory() {
    base_ = static_cast<char*>(
        ::mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    TORCH_CHECK(base_ != MAP_FAILED, "the memory of the guarded device cannot be mapped");
  }
  static GuardedMemory& instance() {
    static auto* memory = new GuardedMemory();
    return *memory;
  }

  /// For what is done in the order of the first stream.
  void open(bool isOpen) {
    if (isOpen) GuardedStreams::instance().beginOperator();
    openAlone(isOpen);
  }
  void openAlone(bool isOpen) {
    std::lock_guard lock(mutex_);
    openings_ += isOpen ? 1 : -1;
    if (openings_ == (isOpen ? 1 : 0)) ::mprotect(base_, kSize, isOpen ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  c10::DataPtr allocate(size_t bytes) override {
    std::lock_guard lock(mutex_);
    const size_t size = std::max<size_t>(64, (bytes + 63) / 64 * 64);
    TORCH_CHECK_WITH(OutOfMemoryError, inUse_ + size <= most_, "the guarded device has no ", size,
                     " bytes left");
    inUse_ += size;
    peak_ = std::max(peak_, inUse_);
    auto& free = free_[size];
    char* place = base_ + used_;
    if (free.empty()) {
      used_ += size;
      TORCH_CHECK(used_ <= kSize, "the guarded device is full");
    } else {
      place = free.back();
      free.pop_back();
    }
    sizes_[place] = size;
    return {place, place, &release, testDevice()};
  }
  /// Bytes that may be in use from now on, beside those that are.
  void limit(size_t more) {
    std::lock_guard lock(mutex_);
    most_ = std::min(kSize, inUse_ + more);
  }
  size_t inUse() {
    std::lock_guard lock(mutex_);
    return inUse_;
  }
  /// Bytes that may still be taken.
  size_t left() {
    std::lock_guard lock(mutex_);
    return most_ - std::min(most_, inUse_);
  }
  /// The most that was in use at a time.
  size_t peak() {
    std::lock_guard lock(mutex_);
    return peak_;
  }
  /// Bytes that there are, used or not.
  size_t total() {
    std::lock_guard lock(mutex_);
    return most_;
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    instance().open(true);
    default_copy_data(to, from, bytes);
    instance().open(false);
  }

 private:
  static void release(void* place) {
    GuardedMemory& memory = instance();
    std::lock_guard lock(memory.mutex_);
    const size_t size = memory.sizes_[static_cast<char*>(place)];
    memory.inUse_ -= size;
    memory.free_[size].push_back(static_cast<char*>(place));
    // Opening and closing takes as long as there are pages.
    constexpr size_t kPage = 4096, kLarge = 64 * kPage;
    if (size < kLarge) return;
    const auto begin = (reinterpret_cast<uintptr_t>(place) + kPage - 1) / kPage * kPage;
    const auto end = (reinterpret_cast<uintptr_t>(place) + size) / kPage * kPage;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  std::mutex mutex_;
  char* base_;
  size_t used_ = 0, inUse_ = 0, peak_ = 0, most_ = kSize;
  int openings_ = 0;
  std::map<size_t, std::vector<char*>> free_;
  std::map<char*, size_t> sizes_;
};

}  // namespace adaptive::test
