#include "core/upload.h"

#include <ATen/ATen.h>

#include <cstring>

#include "core/ops/ops.h"

namespace adaptive {
namespace {

/// Each list begins where any type and the widest load may.
constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void Upload::send() {
  at::NoGradGuard noGrad;
  size_t total = 0;
  for (const Part& part : parts_) total += aligned(part.bytes);
  const at::Tensor host = ops::hostBytes(at::empty({0}, to_), static_cast<int64_t>(total));
  auto* bytes = host.mutable_data_ptr<uint8_t>();
  size_t place = 0;
  for (const Part& part : parts_) {
    if (part.bytes > 0) std::memcpy(bytes + place, part.data, part.bytes);
    place += aligned(part.bytes);
  }
  // Where tensors are the host's, this is `host` itself.
  const at::Tensor there = host.to(to_, /*non_blocking=*/true);
  place = 0;
  for (const Part& part : parts_) {
    *part.to = there.narrow(0, static_cast<int64_t>(place), static_cast<int64_t>(part.bytes)).view(part.type);
    place += aligned(part.bytes);
  }
  parts_.clear();
}

}  // namespace adaptive
