// The operators of the optimizers on CUDA.
#include "cuda/kernels.h"
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"

// Names of operators hide those of the kernels, which are then called with cuda::.
namespace adaptive::cuda::operators {
namespace {

using at::Tensor;

void adamw_(at::TensorList weights, at::TensorList gradients, at::TensorList moments1,
            at::TensorList moments2, double beta1, double beta2, double epsilon, double learningRate,
            double weightDecay, double gradientScale, int64_t step, at::IntArrayRef noises) {
  if (weights.empty()) return;
  const OnDevice on(weights[0]);
  const AdamStep given = {beta1, beta2, epsilon, learningRate, weightDecay, gradientScale, step};
  std::vector<AdamSlot> slots, roundedSlots;
  for (size_t i = 0; i < weights.size(); i++) {
    const bool isFloat = weights[i].scalar_type() == at::kFloat;
    (isFloat ? slots : roundedSlots)
        .push_back({weights[i].data_ptr(), read<float>(gradients[i]), write<float>(moments1[i]),
                    write<float>(moments2[i]), weights[i].numel(), static_cast<uint32_t>(noises[i])});
  }
  adamw(slots.data(), static_cast<int64_t>(slots.size()), false, given.rates(), on.stream);
  adamw(roundedSlots.data(), static_cast<int64_t>(roundedSlots.size()), true, given.rates(), on.stream);
}

void adamw8bit_(Tensor weight, const Tensor& gradient, Tensor codes1, Tensor scales1, Tensor codes2,
                Tensor scales2, double beta1, double beta2, double stepSize, double epsilon, double decay,
                double gradientScale, int64_t noise) {
  const OnDevice on(weight);
  const AdamRates rates = {static_cast<float>(beta1),    static_cast<float>(beta2),
                           static_cast<float>(stepSize), static_cast<float>(epsilon),
                           static_cast<float>(decay),    static_cast<float>(gradientScale)};
  const auto step = [&](auto* data) {
    adamw8bit(data, read<float>(gradient), write<uint8_t>(codes1), write<float>(scales1),
              write<uint8_t>(codes2), write<float>(scales2), weight.numel(), rates,
              static_cast<uint32_t>(noise), on.stream);
  };
  weight.scalar_type() == at::kFloat ? step(write<float>(weight)) : step(write<bfloat16>(weight));
}

Tensor decodeMoments(const Tensor& codes, const Tensor& scales, bool isSigned) {
  const OnDevice on(codes);
  Tensor values = at::empty({codes.numel()}, scales.options());
  cuda::decodeMoments(read<uint8_t>(codes), read<float>(scales), write<float>(values), codes.numel(),
                      isSigned, on.stream);
  return values;
}

void encodeMoments_(const Tensor& values, Tensor codes, Tensor scales, bool isSigned) {
  const OnDevice on(values);
  encodeMoments(read<float>(values), write<uint8_t>(codes), write<float>(scales), values.numel(), isSigned,
                on.stream);
}

void lion_(Tensor weight, const Tensor& gradient, Tensor moment, double beta1, double beta2,
           double learningRate, double decay, double gradientScale) {
  const OnDevice on(weight);
  const LionRates rates = {static_cast<float>(beta1), static_cast<float>(beta2),
                           static_cast<float>(learningRate), static_cast<float>(decay),
                           static_cast<float>(gradientScale)};
  lion(write<float>(weight), read<float>(gradient), write<float>(moment), weight.numel(), rates, on.stream);
}

void roundStochastically_(Tensor to, const Tensor& from, int64_t key, int64_t firstIndex) {
  const OnDevice on(from);
  roundStochastically(read<float>(from), write<bfloat16>(to), from.numel(), static_cast<uint32_t>(key),
                      firstIndex, on.stream);
}

}  // namespace
}  // namespace adaptive::cuda::operators

namespace adaptive::cuda {

void registerOptimizerKernels(torch::Library& m) {
  m.impl("adamw_", &operators::adamw_);
  m.impl("adamw_8bit_", &operators::adamw8bit_);
  m.impl("decode_moments", &operators::decodeMoments);
  m.impl("encode_moments_", &operators::encodeMoments_);
  m.impl("lion_", &operators::lion_);
  m.impl("round_stochastically_", &operators::roundStochastically_);
}

}  // namespace adaptive::cuda
