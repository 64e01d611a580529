#pragma once
#include <cstdint>
#include <string>

namespace adaptive {

/// A file mapped read-only into memory. Errors: IO_FAILED naming the file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return data_; }
  int64_t size() const { return size_; }
  const std::string& path() const { return path_; }

  /// Errors: IO_FAILED where the file now ends before `end`: another program cut it short, and reading what
  /// it lost would end the process. Called right before bytes are read, it leaves only the moment in between.
  void expectUncut(int64_t end) const;

  /// The bytes [begin, end) were read and will not be read again soon: their pages need not stay in memory. A
  /// hint; reading them again is correct.
  void release(int64_t begin, int64_t end) const;

 private:
  std::string path_;
  const char* data_ = nullptr;
  int64_t size_ = 0;
#ifdef _WIN32
  void* file_ = nullptr;
  void* mapping_ = nullptr;
#else
  int file_ = -1;
#endif
};

}  // namespace adaptive
