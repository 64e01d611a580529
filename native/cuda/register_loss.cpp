// The operators of the loss on CUDA.
#include "cuda/kernels.h"
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"

// Names of operators hide those of the kernels, which are then called with cuda::.
namespace adaptive::cuda::operators {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  const OnDevice on(logits);
  const int64_t tokens = logits.size(0);
  Tensor floats = at::empty({tokens, 5}, logits.options().dtype(at::kFloat));
  Tensor ints = at::empty({tokens, 2}, logits.options().dtype(at::kInt));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::tokenStatistics(read<T>(logits), read<int32_t>(labels), write<float>(floats), write<int32_t>(ints),
                          tokens, logits.size(1), on.stream);
  });
  return {floats, ints};
}

void softCap_(Tensor x, double cap) {
  const OnDevice on(x);
  forType(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    softCap(write<T>(x), x.numel(), static_cast<float>(cap), on.stream);
  });
}

Tensor topKEntropy(const Tensor& logits, int64_t k) {
  const OnDevice on(logits);
  Tensor entropies = at::empty({logits.size(0)}, logits.options().dtype(at::kFloat));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::topKEntropy(read<T>(logits), write<float>(entropies), logits.size(0), logits.size(1), k, on.stream);
  });
  return entropies;
}

std::tuple<Tensor, Tensor> firstChoices(const Tensor& logits, int64_t k) {
  const OnDevice on(logits);
  Tensor largest = at::empty({logits.size(0), k}, logits.options().dtype(at::kFloat));
  Tensor ids = at::empty({logits.size(0), k}, logits.options().dtype(at::kInt));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::firstChoices(read<T>(logits), write<float>(largest), write<int32_t>(ids), logits.size(0),
                       logits.size(1), k, on.stream);
  });
  return {largest, ids};
}

TokenGradients gradientsOf(const Tensor& labels, const Tensor& floats, const Tensor& ints,
                           const Tensor& weights, double cap, double smoothing) {
  return {read<int32_t>(labels), read<float>(floats),     read<int32_t>(ints),
          read<float>(weights),  static_cast<float>(cap), static_cast<float>(smoothing)};
}

void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights, double cap, double smoothing) {
  const OnDevice on(logits);
  const TokenGradients of = gradientsOf(labels, floats, ints, weights, cap, smoothing);
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    lossGradient(write<T>(logits), of, logits.size(0), logits.size(1), on.stream);
  });
}

bool formsFloatLogits(const Tensor& hidden) { return hidden.element_size() == 2; }

void lossGradientInto_(Tensor gradient, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                       const Tensor& ints, const Tensor& weights, double cap, double smoothing) {
  const OnDevice on(logits);
  const TokenGradients of = gradientsOf(labels, floats, ints, weights, cap, smoothing);
  forHalfType(gradient.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    lossGradientInto(write<T>(gradient), read<float>(logits), of, logits.size(0), logits.size(1), on.stream);
  });
}

void keepNumerators_(Tensor kept, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                     const Tensor& ints, double cap) {
  const OnDevice on(logits);
  forHalfType(kept.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    keepNumerators(write<T>(kept), read<float>(logits), read<int32_t>(labels), read<float>(floats),
                   read<int32_t>(ints), static_cast<float>(cap), logits.size(0), logits.size(1), on.stream);
  });
}

Tensor numeratorScales(const Tensor& labels, const Tensor& floats, const Tensor& ints, const Tensor& weights,
                       double cap) {
  const OnDevice on(floats);
  Tensor scales = at::empty({floats.size(0), 3}, floats.options());
  cuda::numeratorScales(write<float>(scales), gradientsOf(labels, floats, ints, weights, cap, 0),
                        floats.size(0), on.stream);
  return scales;
}

Tensor fromNumerators(const Tensor& product, const Tensor& weight, const Tensor& scales, const Tensor& labels,
                      const Tensor& ints) {
  const OnDevice on(product);
  const Tensor table = weight.contiguous();
  Tensor gradient = at::empty(product.sizes(), weight.options());
  forType(weight.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    hiddenFromNumerators(write<T>(gradient), read<float>(product), read<T>(table), read<float>(scales),
                         read<int32_t>(labels), read<int32_t>(ints), product.size(0), product.size(1),
                         on.stream);
  });
  return gradient;
}

Tensor divergence_(Tensor logits, const Tensor& base, double weight, double cap) {
  const OnDevice on(logits);
  Tensor divergences = at::empty({logits.size(0)}, logits.options().dtype(at::kFloat));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    divergence(write<T>(logits), read<T>(base), write<float>(divergences), logits.size(0), logits.size(1),
               static_cast<float>(weight), static_cast<float>(cap), on.stream);
  });
  return divergences;
}

}  // namespace
}  // namespace adaptive::cuda::operators

namespace adaptive::cuda {

void registerLossKernels(torch::Library& m) {
  m.impl("token_statistics", &operators::tokenStatistics);
  m.impl("soft_cap_", &operators::softCap_);
  m.impl("top_k_entropy", &operators::topKEntropy);
  m.impl("first_choices", &operators::firstChoices);
  m.impl("loss_gradient_", &operators::lossGradient_);
  m.impl("forms_float_logits", &operators::formsFloatLogits);
  m.impl("loss_gradient_into_", &operators::lossGradientInto_);
  m.impl("keep_numerators_", &operators::keepNumerators_);
  m.impl("numerator_scales", &operators::numeratorScales);
  m.impl("from_numerators", &operators::fromNumerators);
  m.impl("divergence_", &operators::divergence_);
}

}  // namespace adaptive::cuda
