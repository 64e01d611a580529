#include "core/io/stored_tensor.h"

#include <ATen/ATen.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/error.h"
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace adaptive {
namespace {

at::ScalarType scalarType(const StoredTensor& tensor) {
  if (tensor.dtype == "F32") return at::kFloat;
  if (tensor.dtype == "F16") return at::kHalf;
  if (tensor.dtype == "BF16") return at::kBFloat16;
  if (tensor.dtype == "F64") return at::kDouble;
  fail("MODEL_UNSUPPORTED", "Expected a weight of type F32, F16, BF16 or F64, found ", tensor.dtype, " for ",
       tensor.name, ".");
}

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void failWriting(const std::string& path) {
  fail("IO_FAILED", "Cannot write ", path, ": ", std::strerror(errno), ".");
}

void writeAll(std::FILE* file, const void* data, size_t bytes, const std::string& path) {
  if (bytes > 0 && std::fwrite(data, 1, bytes, file) != bytes) failWriting(path);
}

}  // namespace

at::Tensor viewStored(const MappedFile& file, const StoredTensor& tensor) {
  const at::ScalarType type = scalarType(tensor);
  int64_t bytes = static_cast<int64_t>(at::elementSize(type));
  for (const int64_t size : tensor.shape) bytes *= size;
  if (tensor.begin < 0 || tensor.end > file.size() || tensor.end - tensor.begin != bytes) {
    fail("SAFETENSORS_INVALID", "Expected ", bytes, " bytes for ", tensor.name, " inside ", file.path(), " (",
         file.size(), " bytes), found the range ", tensor.begin, " to ", tensor.end, ".");
  }
  return at::from_blob(const_cast<char*>(file.data() + tensor.begin), tensor.shape, type);
}

void writeSafetensors(const std::string& path, const std::string& header,
                      const std::vector<at::Tensor>& tensors, at::ScalarType dtype) {
  std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "wb"));
  if (!file) failWriting(path);
  const uint64_t length = header.size();
  uint8_t prefix[8];
  for (int i = 0; i < 8; i++) prefix[i] = static_cast<uint8_t>(length >> (8 * i));
  writeAll(file.get(), prefix, sizeof prefix, path);
  writeAll(file.get(), header.data(), header.size(), path);
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor bytes = tensor.cpu().to(dtype).contiguous();
    writeAll(file.get(), bytes.const_data_ptr(), bytes.nbytes(), path);
  }
  if (std::fflush(file.get()) != 0) failWriting(path);
#ifdef _WIN32
  if (_commit(_fileno(file.get())) != 0) failWriting(path);
#else
  if (::fsync(::fileno(file.get())) != 0) failWriting(path);
#endif
  if (std::fclose(file.release()) != 0) failWriting(path);
}

}  // namespace adaptive
