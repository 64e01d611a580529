#include "core/io/mapped_file.h"

#include <cerrno>
#include <cstring>

#include "core/error.h"
#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace adaptive {

#ifdef _WIN32
MappedFile::MappedFile(const std::string& path) : path_(path) {
  file_ = CreateFileA(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                      FILE_ATTRIBUTE_NORMAL, nullptr);
  LARGE_INTEGER size{};
  if (file_ == INVALID_HANDLE_VALUE || !GetFileSizeEx(file_, &size))
    fail("IO_FAILED", "Cannot open ", path, ".");
  size_ = size.QuadPart;
  if (size_ == 0) return;
  mapping_ = CreateFileMappingA(file_, nullptr, PAGE_READONLY, 0, 0, nullptr);
  data_ = mapping_ ? static_cast<const char*>(MapViewOfFile(mapping_, FILE_MAP_READ, 0, 0, 0)) : nullptr;
  if (!data_) fail("IO_FAILED", "Cannot map ", path, " into memory.");
}

// A file that is mapped cannot be cut short there.
void MappedFile::expectUncut(int64_t /*end*/) const {}

void MappedFile::release(int64_t /*begin*/, int64_t /*end*/) const {}

MappedFile::~MappedFile() {
  if (data_) UnmapViewOfFile(data_);
  if (mapping_) CloseHandle(mapping_);
  if (file_) CloseHandle(file_);
}
#else
MappedFile::MappedFile(const std::string& path) : path_(path) {
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail("IO_FAILED", "Cannot open ", path, ": ", std::strerror(errno), ".");
  struct stat info {};
  void* mapped = MAP_FAILED;
  if (::fstat(file_, &info) == 0) {
    size_ = info.st_size;
    mapped = size_ > 0 ? ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0) : nullptr;
  }
  if (mapped == MAP_FAILED) {
    const int error = errno;
    ::close(file_);
    fail("IO_FAILED", "Cannot map ", path, " into memory: ", std::strerror(error), ".");
  }
  data_ = static_cast<const char*>(mapped);
}

void MappedFile::expectUncut(int64_t end) const {
  struct stat info {};
  if (::fstat(file_, &info) == 0 && info.st_size >= end) return;
  fail("IO_FAILED", "Expected ", path_, " to stay as it is while it is read (", size_, " bytes), found ",
       info.st_size, " bytes: another program changed it.");
}

void MappedFile::release(int64_t begin, int64_t end) const {
  // Whole pages only: a neighbour's bytes on a shared page may still be wanted.
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  const int64_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (last > first) ::madvise(const_cast<char*>(data_) + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<char*>(data_), size_);
  ::close(file_);
}
#endif

}  // namespace adaptive
