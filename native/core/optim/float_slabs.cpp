#include "core/optim/float_slabs.h"

#include "core/ops/ops.h"

namespace adaptive {

void forFloatSlabs(const at::Tensor& weight, uint32_t key,
                   const std::function<void(const at::Tensor&, int64_t, int64_t)>& move) {
  const at::Tensor flat = weight.view(-1);
  if (flat.scalar_type() == at::kFloat) return move(flat, 0, flat.numel());
  constexpr int64_t kSlab = int64_t{1} << 20;
  for (int64_t first = 0; first < flat.numel(); first += kSlab) {
    const int64_t count = std::min(kSlab, flat.numel() - first);
    const at::Tensor target = flat.narrow(0, first, count), slab = target.to(at::kFloat);
    move(slab, first, count);
    ops::roundStochastically_(target, slab, key, first);
  }
}

}  // namespace adaptive
