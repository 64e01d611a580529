#include "core/io/stored_tensor.h"

#include <ATen/ATen.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
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
  if (tensor.dtype == "U8") return at::kByte;
  if (tensor.dtype == "I8") return at::kChar;
  fail("MODEL_UNSUPPORTED", "Expected a tensor of type F32, F16, BF16, F64, U8 or I8, found ", tensor.dtype,
       " for ", tensor.name, ".");
}

/// -1 where a size is negative or the product does not fit: it must not wrap around to the right number.
int64_t bytesOf(const StoredTensor& tensor, int64_t elementSize) {
  bool empty = false;
  int64_t bytes = elementSize;
  for (const int64_t size : tensor.shape) {
    if (size < 0) return -1;
    empty = empty || size == 0;
    if (size > 0 && bytes > std::numeric_limits<int64_t>::max() / size) return -1;
    bytes *= std::max<int64_t>(1, size);
  }
  return empty ? 0 : bytes;
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

std::string storedType(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "F32";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kDouble:
      return "F64";
    case at::kByte:
      return "U8";
    default:
      fail("MODEL_UNSUPPORTED",
           "Expected a tensor of a type that safetensors files of this library hold, found ",
           c10::toString(type), ".");
  }
}

at::Tensor viewStored(const MappedFile& file, const StoredTensor& tensor) {
  const at::ScalarType type = scalarType(tensor);
  const int64_t bytes = bytesOf(tensor, static_cast<int64_t>(at::elementSize(type)));
  if (bytes < 0 || tensor.begin < 0 || tensor.end < tensor.begin || tensor.end > file.size() ||
      tensor.end - tensor.begin != bytes) {
    fail("SAFETENSORS_INVALID", "Expected the bytes of ", tensor.name, " (", tensor.dtype, " ",
         at::IntArrayRef(tensor.shape), ") inside ", file.path(), " (", file.size(),
         " bytes), found the range ", tensor.begin, " to ", tensor.end, ".");
  }
  file.expectUncut(tensor.end);
  char* bytesInFile = const_cast<char*>(file.data() + tensor.begin);
  if (reinterpret_cast<uintptr_t>(bytesInFile) % at::elementSize(type) == 0) {
    return at::from_blob(bytesInFile, tensor.shape, type);
  }
  // The format does not promise alignment; the kernels want it.
  at::Tensor aligned = at::empty(tensor.shape, type);
  std::memcpy(aligned.data_ptr(), bytesInFile, bytes);
  return aligned;
}

void writeSafetensors(const std::string& path, const std::string& header,
                      const std::vector<at::Tensor>& tensors, std::optional<at::ScalarType> dtype) {
  std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "wb"));
  if (!file) failWriting(path);
  const uint64_t length = header.size();
  uint8_t prefix[8];
  for (int i = 0; i < 8; i++) prefix[i] = static_cast<uint8_t>(length >> (8 * i));
  writeAll(file.get(), prefix, sizeof prefix, path);
  writeAll(file.get(), header.data(), header.size(), path);
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor bytes = tensor.cpu().to(dtype.value_or(tensor.scalar_type())).contiguous();
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
