#include "core/optim/stored_moment.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/ops/ops.h"
#include "core/optim/dynamic_code.h"

namespace adaptive {
namespace {

constexpr int64_t kSmallest = 4096, kPiece = int64_t{1} << 17;
static_assert(kPiece % kMomentBlock == 0);

int64_t blocksOf(int64_t values) { return (values + kMomentBlock - 1) / kMomentBlock; }

}  // namespace

StoredMoment::StoredMoment(at::Tensor values, bool inEightBits, bool isSigned)
    : codes_(std::move(values)), isSigned_(isSigned) {
  if (!inEightBits || codes_.numel() < kSmallest) return;
  scales_ = at::empty({blocksOf(codes_.numel())}, codes_.options());
  codes_ = codes_.to(at::kByte);
}

std::vector<StateTensor> StoredMoment::tensors() {
  if (!scales_.defined()) return {{&codes_}};
  const DynamicCode& code = isSigned_ ? DynamicCode::withSign() : DynamicCode::withoutSign();
  return {{&codes_, code.nearest(0)}, {&scales_, 0, kMomentBlock}};
}

at::Tensor StoredMoment::values(int64_t first, int64_t count) const {
  const at::Tensor stored = codes_.view(-1).narrow(0, first, count);
  if (!scales_.defined()) return stored;
  return ops::decodeMoments(stored, scales_.narrow(0, first / kMomentBlock, blocksOf(count)), isSigned_);
}

void StoredMoment::keep(const at::Tensor& values, int64_t first) {
  if (!scales_.defined()) return;
  ops::encodeMoments_(values, codes_.view(-1).narrow(0, first, values.numel()),
                      scales_.narrow(0, first / kMomentBlock, blocksOf(values.numel())), isSigned_);
}

void StoredMoment::addState(const std::string& name,
                            std::vector<std::pair<std::string, at::Tensor>>& state) const {
  state.emplace_back(name, codes_);
  if (scales_.defined()) state.emplace_back(name + ".absmax", scales_);
}

void forPieces(int64_t count, const std::function<void(int64_t, int64_t)>& fn) {
  for (int64_t first = 0; first < count; first += kPiece) fn(first, std::min(kPiece, count - first));
}

}  // namespace adaptive
