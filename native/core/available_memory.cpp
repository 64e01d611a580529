#include "core/available_memory.h"

#include <cmath>
#include <fstream>
#include <string>

#include "core/error.h"
#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace adaptive {

int64_t availableMemory() {
#ifdef _WIN32
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<int64_t>(status.ullAvailPhys) : int64_t{1} << 30;
#else
  // Linux: MemAvailable counts the page cache that would be given up, which sysconf does not.
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    int64_t kibibytes = 0;
    if (key == "MemAvailable:" && meminfo >> kibibytes) return kibibytes * 1024;
    meminfo.ignore(256, '\n');
  }
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / 4;
#endif
}

void expectMemory(const std::string& what, double bytes) {
  const auto free = static_cast<double>(availableMemory());
  if (bytes <= free) return;
  constexpr double mebibyte = 1 << 20;
  fail("OUT_OF_MEMORY", "Expected memory for ", what, " (", std::ceil(bytes / mebibyte), " MiB), found ",
       std::floor(free / mebibyte), " MiB free.");
}

}  // namespace adaptive
