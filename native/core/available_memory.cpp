#include "core/available_memory.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string>

#include "core/block_memory.h"
#include "core/control_group.h"
#include "core/error.h"
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace adaptive {
namespace {

#ifndef _WIN32
int64_t ofSystem() {
  // Linux: MemAvailable counts the page cache that would be given up, which sysconf does not.
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    int64_t kibibytes = 0;
    if (key == "MemAvailable:" && meminfo >> kibibytes) return kibibytes * 1024;
    meminfo.ignore(256, '\n');
  }
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / 4;
}

/// What `resource` lets the process take beside the pages that it has.
int64_t withinLimit(int resource, int64_t pages, int64_t most) {
  rlimit limit{};
  // The type of `resource` is an enum in glibc.
  if (getrlimit(static_cast<decltype(RLIMIT_DATA)>(resource), &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return most;
  const auto allowed = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
  return std::clamp<int64_t>(allowed - pages * sysconf(_SC_PAGESIZE), 0, most);
}
#endif

}  // namespace

int64_t availableMemory() {
#ifdef _WIN32
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<int64_t>(status.ullAvailPhys) : int64_t{1} << 30;
#else
  int64_t left = ofSystem();
  if (const auto inGroups = leftInControlGroups()) left = std::min(left, *inGroups);
  int64_t size = 0, resident = 0, shared = 0, code = 0, library = 0, data = 0;
  std::ifstream statm("/proc/self/statm");
  if (!(statm >> size >> resident >> shared >> code >> library >> data)) return left;
  return withinLimit(RLIMIT_DATA, data, withinLimit(RLIMIT_AS, size, left));
#endif
}

int64_t reusableMemory() {
#ifdef __GLIBC__
  // mallinfo2, of glibc 2.33; the addon is built for older ones, too. Its ninth field counts free bytes.
  struct Counts {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
  };
  static const auto counts = reinterpret_cast<Counts (*)()>(dlsym(RTLD_DEFAULT, "mallinfo2"));
  return keptBlockBytes() + (counts == nullptr ? 0 : static_cast<int64_t>(counts().fordblks));
#else
  return keptBlockBytes();
#endif
}

void releaseMemory() {
  releaseBlocks();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

int64_t memoryLeft() {
  using Clock = std::chrono::steady_clock;
  thread_local int64_t left = 0;
  thread_local Clock::time_point readAt{};
  if (readAt == Clock::time_point{} || Clock::now() - readAt > std::chrono::milliseconds(20)) {
    left = availableMemory() + reusableMemory();
    readAt = Clock::now();
  }
  return left;
}

void expectMemory(const std::string& what, double bytes) {
  if (bytes <= static_cast<double>(availableMemory())) return;
  releaseBlocks();
  const auto free = static_cast<double>(availableMemory());
  if (bytes <= free) return;
  constexpr double mebibyte = 1 << 20;
  fail("OUT_OF_MEMORY", "Expected memory for ", what, " (", std::ceil(bytes / mebibyte), " MiB), found ",
       std::floor(free / mebibyte), " MiB free.");
}

}  // namespace adaptive
