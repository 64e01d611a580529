// What writeSafetensors writes, viewStored gives back; ranges that do not fit are refused.
#include "core/io/stored_tensor.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

/// A file name that is free again at the end of the test.
struct TemporaryFile {
  std::string path;
  TemporaryFile() {
    const char* folder = std::getenv("TMPDIR");
    static int count = 0;
    path =
        c10::str(folder ? folder : "/tmp", "/adaptive-core-test-", std::rand(), "-", count++, ".safetensors");
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

}  // namespace

TEST("safetensors: written tensors come back, in each type") {
  const Tensor a = normal({3, 5}, 1).to(at::kFloat), b = normal({4}, 2).to(at::kFloat),
               turned = normal({5, 2}, 3).to(at::kFloat).t();
  const std::string header = "{\"__metadata__\":{}} ";
  for (const auto& [name, type] : std::vector<std::pair<std::string, at::ScalarType>>{
           {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}}) {
    const TemporaryFile file;
    writeSafetensors(file.path, header, {a, b, turned}, type);
    const std::string bytes = contents(file.path);
    const auto size = static_cast<int64_t>(at::elementSize(type)),
               start = static_cast<int64_t>(8 + header.size());
    check(static_cast<int64_t>(bytes.size()) == start + 29 * size, "a length, the header and 29 values");
    check(static_cast<uint8_t>(bytes[0]) == header.size() && bytes.substr(1, 7) == std::string(7, '\0'),
          "the header's length, little-endian");
    check(bytes.substr(8, header.size()) == header, "the header");
    const MappedFile mapped(file.path);
    checkSame(viewStored(mapped, {"a", name, {3, 5}, start, start + 15 * size}).clone(), a.to(type),
              "first tensor");
    checkSame(viewStored(mapped, {"b", name, {4}, start + 15 * size, start + 19 * size}).clone(), b.to(type),
              "second tensor");
    checkSame(viewStored(mapped, {"c", name, {2, 5}, start + 19 * size, start + 29 * size}).clone(),
              turned.to(type).contiguous(), "third tensor, given transposed");
  }
}

TEST("safetensors: an odd header leaves tensors unaligned, and they are read all the same") {
  const TemporaryFile file;
  const Tensor a = normal({33}, 1).to(at::kFloat);
  writeSafetensors(file.path, "{}   ", {a}, at::kFloat);
  const MappedFile mapped(file.path);
  Tensor copy = at::empty({33});
  copy.copy_(viewStored(mapped, {"a", "F32", {33}, 13, 13 + 33 * 4}));
  checkSame(copy, a, "tensor at byte 13");
}

TEST("safetensors: ranges, shapes and types that do not fit") {
  const TemporaryFile file;
  writeSafetensors(file.path, "{}", {at::ones({4})}, at::kFloat);  // 26 bytes
  const MappedFile mapped(file.path);
  const auto view = [&](const std::string& dtype, std::vector<int64_t> shape, int64_t begin, int64_t end) {
    return [&mapped, stored = StoredTensor{"w", dtype, std::move(shape), begin, end}] {
      viewStored(mapped, stored);
    };
  };
  viewStored(mapped, {"w", "F32", {4}, 10, 26});
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {4}, 11, 27));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {4}, -6, 10));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {4}, 10, 25));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {5}, 10, 26));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {4}, 26, 10));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {1}, int64_t{1} << 62, (int64_t{1} << 62) + 4));
  // Products that wrap around to the right number of bytes.
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {int64_t{1} << 40, int64_t{1} << 40}, 10, 10));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {(int64_t{1} << 62) + 4}, 10, 26));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {-2, -2}, 10, 26));
  checkFails("SAFETENSORS_INVALID", "w", view("F32", {-1, 4}, 10, -6));
  checkFails("MODEL_UNSUPPORTED", "I64", view("I64", {2}, 10, 26));
  checkFails("MODEL_UNSUPPORTED", "U9", view("U9", {2}, 10, 26));
}

#ifndef _WIN32
TEST("safetensors: a file that is cut short after it was opened") {
  const TemporaryFile file;
  writeSafetensors(file.path, "{}", {at::ones({40'000})}, at::kFloat);
  const MappedFile mapped(file.path);
  const StoredTensor stored = {"w", "F32", {40'000}, 10, 160'010};
  check(viewStored(mapped, stored).sum().item<double>() == 40'000, "the whole file to be read");
  std::filesystem::resize_file(file.path, 20'000);
  checkFails("IO_FAILED", "20000 bytes: another program changed it", [&] { viewStored(mapped, stored); });
}
#endif

TEST("safetensors: files that cannot be read or written") {
  checkFails("IO_FAILED", "/nowhere/x", [] { MappedFile("/nowhere/x"); });
  checkFails("IO_FAILED", "/nowhere/x", [] { writeSafetensors("/nowhere/x", "{}", {}, at::kFloat); });
#ifdef __linux__
  checkFails("IO_FAILED", "space",
             [] { writeSafetensors("/dev/full", "{}", {at::ones({100000})}, at::kFloat); });
  checkFails("IO_FAILED", "/tmp", [] { MappedFile("/tmp"); });
#endif
  const TemporaryFile file;
  std::ofstream(file.path).close();
  check(MappedFile(file.path).size() == 0, "an empty file to be mapped");
}
