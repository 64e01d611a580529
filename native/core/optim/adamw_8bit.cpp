#include "core/optim/adamw_8bit.h"

#include "core/ops/ops.h"
#include "core/optim/dynamic_code.h"

namespace adaptive {
namespace {

constexpr int64_t kSmallest = 4096;

}  // namespace

AdamW8bit::AdamW8bit(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  const uint8_t zeroSigned = DynamicCode::withSign().nearest(0),
                zeroUnsigned = DynamicCode::withoutSign().nearest(0);
  for (at::Tensor& zeros : zerosForSlots()) {
    const bool isSmall = zeros.numel() < kSmallest;
    const int64_t blocks = (zeros.numel() + kMomentBlock - 1) / kMomentBlock;
    const auto codes = zeros.options().dtype(at::kByte);
    moment1_.push_back(isSmall ? zeros : at::full(zeros.sizes(), zeroSigned, codes));
    moment2_.push_back(isSmall ? zeros.clone() : at::full(zeros.sizes(), zeroUnsigned, codes));
    scale1_.push_back(isSmall ? at::Tensor() : at::zeros({blocks}, zeros.options()));
    scale2_.push_back(isSmall ? at::Tensor() : at::zeros({blocks}, zeros.options()));
  }
}

void AdamW8bit::update(const Update& u) {
  if (scale1_[u.slot].defined()) {
    updateBlocks(u);
  } else {
    updateFloat(u);
  }
}

void AdamW8bit::updateFloat(const Update& u) {
  ops::adamw_({u.weight}, {u.gradient}, {moment1_[u.slot]}, {moment2_[u.slot]}, stepOf(u), {u.noise});
}

void AdamW8bit::updateBlocks(const Update& u) {
  ops::adamw8bit_(u.weight, u.gradient, moment1_[u.slot], scale1_[u.slot], moment2_[u.slot], scale2_[u.slot],
                  stepOf(u).rates(), u.noise);
}

std::vector<std::pair<std::string, at::Tensor>> AdamW8bit::state() {
  std::vector<std::pair<std::string, at::Tensor>> all;
  const auto add = [&](const char* suffix, const std::vector<at::Tensor>& tensors) {
    for (auto& entry : named(suffix, tensors)) all.push_back(std::move(entry));
  };
  add(".exp_avg", moment1_);
  add(".exp_avg_sq", moment2_);
  add(".exp_avg.absmax", scale1_);
  add(".exp_avg_sq.absmax", scale2_);
  return all;
}

}  // namespace adaptive
