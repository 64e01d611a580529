// The CPU implementations of the optimizers' operators: the split over threads; the arithmetic is in isa/.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/ops/cpu/kernels.h"
#include "core/ops/library.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

/// Enough entries per task that a task is worth a thread's while.
constexpr int64_t kGrain = 32768;

/// Weights in bfloat16 are widened this many entries at a time.
constexpr int64_t kSlab = int64_t{1} << 20;

void roundInto(const Tensor& to, const Tensor& from, uint32_t key, int64_t firstIndex) {
  const float* source = from.const_data_ptr<float>();
  auto* target = to.data_ptr<c10::BFloat16>();
  at::parallel_for(0, from.numel(), kGrain, [&](int64_t begin, int64_t end) {
    optimizerKernels().roundStochastically(source + begin, target + begin, end - begin, key,
                                           firstIndex + begin);
  });
}

void adamw_(at::TensorList weights, at::TensorList gradients, at::TensorList moments1,
            at::TensorList moments2, double beta1, double beta2, double epsilon, double learningRate,
            double weightDecay, double gradientScale, int64_t step, at::IntArrayRef noises) {
  // libtorch's kernel divides by this scale.
  const Tensor inverseScale = at::scalar_tensor(1.0 / gradientScale, at::kFloat);
  const Tensor steps = at::scalar_tensor(static_cast<double>(step), at::kFloat);
  const auto move = [&](const Tensor& weight, size_t i, int64_t first) {
    const auto part = [&](const Tensor& t) { return t.view(-1).narrow(0, first, weight.numel()); };
    at::_fused_adamw_({weight}, {part(gradients[i])}, {part(moments1[i])}, {part(moments2[i])},
                      /*max_exp_avg_sqs=*/{}, {steps}, learningRate, beta1, beta2, weightDecay, epsilon,
                      /*amsgrad=*/false, /*maximize=*/false, inverseScale, /*found_inf=*/{});
  };
  for (size_t i = 0; i < weights.size(); i++) {
    const Tensor flat = weights[i].view(-1);
    if (flat.scalar_type() == at::kFloat) {
      move(flat, i, 0);
      continue;
    }
    for (int64_t first = 0; first < flat.numel(); first += kSlab) {
      const Tensor target = flat.narrow(0, first, std::min(kSlab, flat.numel() - first));
      const Tensor slab = target.to(at::kFloat);
      move(slab, i, first);
      roundInto(target, slab, static_cast<uint32_t>(noises[i]), first);
    }
  }
}

void adamw8bit_(Tensor weight, const Tensor& gradient, Tensor codes1, Tensor scales1, Tensor codes2,
                Tensor scales2, double beta1, double beta2, double stepSize, double epsilon, double decay,
                double gradientScale, int64_t noise) {
  const AdamRates rates = {static_cast<float>(beta1),    static_cast<float>(beta2),
                           static_cast<float>(stepSize), static_cast<float>(epsilon),
                           static_cast<float>(decay),    static_cast<float>(gradientScale)};
  auto *c1 = codes1.data_ptr<uint8_t>(), *c2 = codes2.data_ptr<uint8_t>();
  auto *s1 = scales1.data_ptr<float>(), *s2 = scales2.data_ptr<float>();
  const float* g = gradient.const_data_ptr<float>();
  const bool isFloat = weight.scalar_type() == at::kFloat;
  float* w = isFloat ? weight.data_ptr<float>() : nullptr;
  auto* rounded = isFloat ? nullptr : weight.data_ptr<c10::BFloat16>();
  const int64_t count = weight.numel();
  const OptimizerKernels& kernels = optimizerKernels();
  at::parallel_for(0, scales1.numel(), kGrain / (2 * kMomentBlock), [&](int64_t begin, int64_t end) {
    float copy[kMomentBlock];
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kMomentBlock, n = std::min(kMomentBlock, count - first);
      if (!isFloat) std::copy_n(rounded + first, n, copy);
      kernels.adam8bitBlock(isFloat ? w + first : copy, g + first, c1 + first, s1 + block, c2 + first,
                            s2 + block, n, rates);
      if (!isFloat)
        kernels.roundStochastically(copy, rounded + first, n, static_cast<uint32_t>(noise), first);
    }
  });
}

Tensor decodeMoments(const Tensor& codes, const Tensor& scales, bool isSigned) {
  const int64_t count = codes.numel();
  Tensor values = at::empty({count}, scales.options());
  const uint8_t* c = codes.const_data_ptr<uint8_t>();
  const float* s = scales.const_data_ptr<float>();
  float* v = values.data_ptr<float>();
  at::parallel_for(0, scales.numel(), kGrain / kMomentBlock, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kMomentBlock;
      optimizerKernels().decodeBlock(c + first, s[block], v + first, std::min(kMomentBlock, count - first),
                                     isSigned);
    }
  });
  return values;
}

void encodeMoments_(const Tensor& values, Tensor codes, Tensor scales, bool isSigned) {
  const int64_t count = values.numel();
  const float* v = values.const_data_ptr<float>();
  uint8_t* c = codes.data_ptr<uint8_t>();
  float* s = scales.data_ptr<float>();
  at::parallel_for(0, scales.numel(), kGrain / kMomentBlock, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kMomentBlock;
      optimizerKernels().encodeBlock(v + first, c + first, s + block, std::min(kMomentBlock, count - first),
                                     isSigned);
    }
  });
}

void lion_(Tensor weight, const Tensor& gradient, Tensor moment, double beta1, double beta2,
           double learningRate, double decay, double gradientScale) {
  const LionRates rates = {static_cast<float>(beta1), static_cast<float>(beta2),
                           static_cast<float>(learningRate), static_cast<float>(decay),
                           static_cast<float>(gradientScale)};
  float *w = weight.data_ptr<float>(), *m = moment.data_ptr<float>();
  const float* g = gradient.const_data_ptr<float>();
  at::parallel_for(0, weight.numel(), kGrain, [&](int64_t begin, int64_t end) {
    optimizerKernels().lion(w + begin, g + begin, m + begin, end - begin, rates);
  });
}

void roundStochastically_(Tensor to, const Tensor& from, int64_t key, int64_t firstIndex) {
  roundInto(to, from, static_cast<uint32_t>(key), firstIndex);
}

}  // namespace

ADAPTIVE_LIBRARY_IMPL(CPU, m) {
  m.impl("adamw_", &adamw_);
  m.impl("adamw_8bit_", &adamw8bit_);
  m.impl("decode_moments", &decodeMoments);
  m.impl("encode_moments_", &encodeMoments_);
  m.impl("lion_", &lion_);
  m.impl("round_stochastically_", &roundStochastically_);
}

}  // namespace adaptive::cpu
