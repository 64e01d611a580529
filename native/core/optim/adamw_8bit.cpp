#include "core/optim/adamw_8bit.h"

#include "core/ops/ops.h"
#include "core/optim/dynamic_code.h"

namespace adaptive {
namespace {

constexpr int64_t kSmallest = 4096;

}  // namespace

AdamW8bit::AdamW8bit(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  moment1_ = moment2_ = tensorsForSlots();
  for (size_t i = 0; i < slots().size(); i++) {
    const bool isSmall = moment1_[i].numel() < kSmallest;
    const int64_t blocks = (moment1_[i].numel() + kMomentBlock - 1) / kMomentBlock;
    scale1_.push_back(isSmall ? at::Tensor() : withoutPlace({blocks}));
    scale2_.push_back(scale1_.back());
    if (!isSmall) moment1_[i] = moment2_[i] = moment1_[i].to(at::kByte);
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

std::vector<StateTensor> AdamW8bit::statesOf(size_t slot) {
  if (!scale1_[slot].defined()) return {{&moment1_[slot]}, {&moment2_[slot]}};
  return {{&moment1_[slot], DynamicCode::withSign().nearest(0)},
          {&scale1_[slot], 0, kMomentBlock},
          {&moment2_[slot], DynamicCode::withoutSign().nearest(0)},
          {&scale2_[slot], 0, kMomentBlock}};
}

std::vector<std::pair<std::string, at::Tensor>> AdamW8bit::namedState() {
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
