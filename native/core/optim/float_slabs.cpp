#include "core/optim/float_slabs.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/cpu/kernels.h"

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
    roundInto(target, slab, key, first);
  }
}

void roundInto(at::Tensor to, const at::Tensor& from, uint32_t key, int64_t firstIndex) {
  const float* source = from.const_data_ptr<float>();
  auto* target = to.data_ptr<c10::BFloat16>();
  at::parallel_for(0, from.numel(), 32768, [&](int64_t begin, int64_t end) {
    cpu::optimizerKernels().roundStochastically(source + begin, target + begin, end - begin, key,
                                                firstIndex + begin);
  });
}

}  // namespace adaptive
