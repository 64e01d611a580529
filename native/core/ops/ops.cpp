#include "core/ops/ops.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "core/ops/library.h"

namespace adaptive::ops {
namespace {

template <class Signature>
auto find(const char* name) {
  const std::string whole = std::string(libraryName()) + "::" + name;
  return c10::Dispatcher::singleton().findSchemaOrThrow(whole.c_str(), "").typed<Signature>();
}

template <class Signature, class... Args>
auto call(const c10::TypedOperatorHandle<Signature>& op, Args&&... args) {
  at::AutoDispatchBelowADInplaceOrView noAutograd;
  return op.call(std::forward<Args>(args)...);
}

}  // namespace

std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset,
                                   at::ScalarType dtype) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, double, double, at::ScalarType)>(
          "rms_norm");
  return call(op, x, weight, eps, offset, dtype);
}
Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       double offset, const std::optional<Tensor>& dWeight) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, double,
                                     const std::optional<Tensor>&)>("rms_norm_backward");
  return call(op, dy, x, weight, rstd, offset, dWeight);
}
std::tuple<Tensor, Tensor> headNorm(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                                    int64_t heads, int64_t kvHeads, double eps, double offset) {
  static const auto op = find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&, int64_t,
                                                         int64_t, double, double)>("head_norm");
  return call(op, qkv, qWeight, kWeight, heads, kvHeads, eps, offset);
}
void headNormBackward_(Tensor dQkv, const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                       const Tensor& rstd, int64_t heads, int64_t kvHeads, double offset,
                       const std::optional<Tensor>& dQWeight, const std::optional<Tensor>& dKWeight) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t, double,
                const std::optional<Tensor>&, const std::optional<Tensor>&)>("head_norm_backward_");
  call(op, dQkv, qkv, qWeight, kWeight, rstd, heads, kvHeads, offset, dQWeight, dKWeight);
}
void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool interleaved,
             bool back) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, int64_t, int64_t, bool, bool)>("rotate_");
  call(op, x, cos, sin, heads, headDim, interleaved, back);
}
void addRows_(Tensor table, const Tensor& ids, const Tensor& rows, double scale) {
  static const auto op = find<void(Tensor, const Tensor&, const Tensor&, double)>("add_rows_");
  call(op, table, ids, rows, scale);
}
Tensor gatedActivation(const Tensor& gateUp, Activation activation) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("gated_activation");
  return call(op, gateUp, static_cast<int64_t>(activation));
}
Tensor gatedActivationBackward(const Tensor& dy, const Tensor& gateUp, Activation activation) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, int64_t)>("gated_activation_backward");
  return call(op, dy, gateUp, static_cast<int64_t>(activation));
}
std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest,
                                     int64_t heads, int64_t kvHeads, double scale, int64_t window,
                                     double softCap, double dropout, uint64_t key) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, int64_t, int64_t, int64_t, double,
                                      int64_t, double, double, int64_t)>("attention");
  return call(op, qkv, cuSeqlens, longest, heads, kvHeads, scale, window, softCap, dropout,
              static_cast<int64_t>(key));
}
Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t longest, int64_t heads, int64_t kvHeads,
                         double scale, int64_t window, double softCap, double dropout, uint64_t key) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t,
                  int64_t, double, int64_t, double, double, int64_t)>("attention_backward");
  return call(op, dOut, qkv, out, lse, cuSeqlens, longest, heads, kvHeads, scale, window, softCap, dropout,
              static_cast<int64_t>(key));
}
std::tuple<Tensor, Tensor> attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                           int64_t window, double softCap) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&, double, int64_t, double)>(
          "attention_cached");
  return call(op, q, k, v, scale, window, softCap);
}
std::tuple<Tensor, Tensor> attendNext(const Tensor& q, at::TensorList k, at::TensorList v, double scale,
                                      int64_t window, double softCap) {
  static const auto op = find<std::tuple<Tensor, Tensor>(const Tensor&, at::TensorList, at::TensorList,
                                                         double, int64_t, double)>("attend_next");
  return call(op, q, k, v, scale, window, softCap);
}
Tensor thinProduct(const Tensor& a, const Tensor& weight) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&)>("thin_product");
  return call(op, a, weight);
}
void floatProduct_(Tensor out, const Tensor& a, const Tensor& b, double beta, double scale) {
  static const auto op = find<void(Tensor, const Tensor&, const Tensor&, double, double)>("float_product_");
  call(op, out, a, b, beta, scale);
}
int64_t freeBytes(const Tensor& like) {
  static const auto op = find<int64_t(const Tensor&)>("free_bytes");
  return call(op, like);
}
DeviceMemory deviceMemory(const Tensor& like) {
  static const auto op = find<std::tuple<int64_t, int64_t, int64_t>(const Tensor&)>("device_memory");
  const auto [total, held, peak] = call(op, like);
  return {total, held, peak};
}
Tensor hostBytes(const Tensor& like, int64_t bytes) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("host_bytes");
  return call(op, like, bytes);
}
Tensor pinnedBytes(const Tensor& like, int64_t bytes) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("pinned_bytes");
  return call(op, like, bytes);
}
Tensor dropout(const Tensor& x, double rate, uint64_t key) {
  static const auto op = find<Tensor(const Tensor&, double, int64_t)>("dropout");
  return call(op, x, rate, static_cast<int64_t>(key));
}
Tensor uniform(const Tensor& like, uint64_t key) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("uniform");
  return call(op, like, static_cast<int64_t>(key));
}
std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  static const auto op = find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&)>("token_statistics");
  return call(op, logits, labels);
}
void softCap_(Tensor x, double cap) {
  static const auto op = find<void(Tensor, double)>("soft_cap_");
  call(op, x, cap);
}
Tensor topKEntropy(const Tensor& logits, int64_t k) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("top_k_entropy");
  return call(op, logits, k);
}
std::tuple<Tensor, Tensor> firstChoices(const Tensor& logits, int64_t k) {
  static const auto op = find<std::tuple<Tensor, Tensor>(const Tensor&, int64_t)>("first_choices");
  return call(op, logits, k);
}
void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights, double cap, double smoothing) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&, double, double)>(
          "loss_gradient_");
  call(op, logits, labels, floats, ints, weights, cap, smoothing);
}
bool formsFloatLogits(const Tensor& hidden) {
  static const auto op = find<bool(const Tensor&)>("forms_float_logits");
  return call(op, hidden);
}
void lossGradientInto_(Tensor gradient, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                       const Tensor& ints, const Tensor& weights, double cap, double smoothing) {
  static const auto op = find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                   const Tensor&, double, double)>("loss_gradient_into_");
  call(op, gradient, logits, labels, floats, ints, weights, cap, smoothing);
}
void keepNumerators_(Tensor kept, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                     const Tensor& ints, double cap) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&, double)>(
          "keep_numerators_");
  call(op, kept, logits, labels, floats, ints, cap);
}
Tensor numeratorScales(const Tensor& labels, const Tensor& floats, const Tensor& ints, const Tensor& weights,
                       double cap) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, double)>("numerator_scales");
  return call(op, labels, floats, ints, weights, cap);
}
Tensor fromNumerators(const Tensor& product, const Tensor& weight, const Tensor& scales, const Tensor& labels,
                      const Tensor& ints) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&)>(
          "from_numerators");
  return call(op, product, weight, scales, labels, ints);
}
Tensor divergence_(Tensor logits, const Tensor& base, double weight, double cap) {
  static const auto op = find<Tensor(Tensor, const Tensor&, double, double)>("divergence_");
  return call(op, logits, base, weight, cap);
}
void adamw_(at::TensorList weights, at::TensorList gradients, at::TensorList moments1,
            at::TensorList moments2, const AdamStep& step, at::IntArrayRef noises) {
  static const auto op =
      find<void(at::TensorList, at::TensorList, at::TensorList, at::TensorList, double, double, double,
                double, double, double, int64_t, at::IntArrayRef)>("adamw_");
  call(op, weights, gradients, moments1, moments2, step.beta1, step.beta2, step.epsilon, step.learningRate,
       step.weightDecay, step.gradientScale, step.step, noises);
}
void adamw8bit_(Tensor weight, const Tensor& gradient, Tensor codes1, Tensor scales1, Tensor codes2,
                Tensor scales2, const AdamRates& rates, uint32_t noise) {
  static const auto op = find<void(Tensor, const Tensor&, Tensor, Tensor, Tensor, Tensor, double, double,
                                   double, double, double, double, int64_t)>("adamw_8bit_");
  call(op, weight, gradient, codes1, scales1, codes2, scales2, rates.beta1, rates.beta2, rates.stepSize,
       rates.epsilon, rates.decay, rates.gradientScale, static_cast<int64_t>(noise));
}
Tensor decodeMoments(const Tensor& codes, const Tensor& scales, bool isSigned) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, bool)>("decode_moments");
  return call(op, codes, scales, isSigned);
}
void encodeMoments_(const Tensor& values, Tensor codes, Tensor scales, bool isSigned) {
  static const auto op = find<void(const Tensor&, Tensor, Tensor, bool)>("encode_moments_");
  call(op, values, codes, scales, isSigned);
}
void lion_(Tensor weight, const Tensor& gradient, Tensor moment, const LionRates& rates) {
  static const auto op =
      find<void(Tensor, const Tensor&, Tensor, double, double, double, double, double)>("lion_");
  call(op, weight, gradient, moment, rates.beta1, rates.beta2, rates.learningRate, rates.decay,
       rates.gradientScale);
}
void dequantize_(Tensor out, const Tensor& packed, const std::optional<Tensor>& codes, const Tensor& scales,
                 int64_t blockSize, int64_t columns, int64_t firstRow, int64_t firstColumn) {
  static const auto op = find<void(Tensor, const Tensor&, const std::optional<Tensor>&, const Tensor&,
                                   int64_t, int64_t, int64_t, int64_t)>("dequantize_");
  call(op, out, packed, codes, scales, blockSize, columns, firstRow, firstColumn);
}
void roundStochastically_(Tensor to, const Tensor& from, uint32_t key, int64_t firstIndex) {
  static const auto op = find<void(Tensor, const Tensor&, int64_t, int64_t)>("round_stochastically_");
  call(op, to, from, static_cast<int64_t>(key), firstIndex);
}

}  // namespace adaptive::ops
