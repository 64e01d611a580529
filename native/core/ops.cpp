#include "core/ops.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

TORCH_LIBRARY(adaptive_trainer, m) {
  m.def("rms_norm(Tensor x, Tensor weight, float eps, float offset, ScalarType dtype) -> (Tensor, Tensor)");
  m.def(
      "rms_norm_backward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, float offset, Tensor(a!)? "
      "d_weight) "
      "-> Tensor");
  m.def(
      "head_norm(Tensor qkv, Tensor q_weight, Tensor k_weight, int heads, int kv_heads, float eps, float "
      "offset) "
      "-> (Tensor, Tensor)");
  m.def(
      "head_norm_backward_(Tensor(a!) d_qkv, Tensor qkv, Tensor q_weight, Tensor k_weight, Tensor rstd, "
      "int heads, int kv_heads, float offset, Tensor(b!)? d_q_weight, Tensor(c!)? d_k_weight) -> ()");
  m.def("rotate_(Tensor(a!) x, Tensor cos, Tensor sin, int heads, int head_dim, bool back) -> ()");
  m.def("gated_activation(Tensor gate_up, int activation) -> Tensor");
  m.def("gated_activation_backward(Tensor dy, Tensor gate_up, int activation) -> Tensor");
  m.def(
      "attention(Tensor qkv, Tensor cu_seqlens, int heads, int kv_heads, float scale, int window, "
      "float soft_cap) -> (Tensor, Tensor)");
  m.def(
      "attention_backward(Tensor d_out, Tensor qkv, Tensor out, Tensor lse, Tensor cu_seqlens, int heads, "
      "int kv_heads, "
      "float scale, int window, float soft_cap) -> Tensor");
  m.def("attention_cached(Tensor q, Tensor k, Tensor v, float scale, int window, float soft_cap) -> Tensor");
  m.def("token_statistics(Tensor logits, Tensor labels) -> (Tensor, Tensor)");
  m.def("soft_cap_(Tensor(a!) x, float cap) -> ()");
  m.def("top_k_entropy(Tensor logits, int k) -> Tensor");
  m.def(
      "loss_gradient_(Tensor(a!) logits, Tensor labels, Tensor floats, Tensor ints, Tensor weights, float "
      "cap) "
      "-> ()");
}

namespace adaptive::ops {
namespace {

template <class Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
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
          "adaptive_trainer::rms_norm");
  return call(op, x, weight, eps, offset, dtype);
}
Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       double offset, const std::optional<Tensor>& dWeight) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, double,
                                     const std::optional<Tensor>&)>("adaptive_trainer::rms_norm_backward");
  return call(op, dy, x, weight, rstd, offset, dWeight);
}
std::tuple<Tensor, Tensor> headNorm(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                                    int64_t heads, int64_t kvHeads, double eps, double offset) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t, double,
                                      double)>("adaptive_trainer::head_norm");
  return call(op, qkv, qWeight, kWeight, heads, kvHeads, eps, offset);
}
void headNormBackward_(Tensor dQkv, const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                       const Tensor& rstd, int64_t heads, int64_t kvHeads, double offset,
                       const std::optional<Tensor>& dQWeight, const std::optional<Tensor>& dKWeight) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t, double,
                const std::optional<Tensor>&, const std::optional<Tensor>&)>(
          "adaptive_trainer::head_norm_backward_");
  call(op, dQkv, qkv, qWeight, kWeight, rstd, heads, kvHeads, offset, dQWeight, dKWeight);
}
void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool back) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, int64_t, int64_t, bool)>("adaptive_trainer::rotate_");
  call(op, x, cos, sin, heads, headDim, back);
}
Tensor gatedActivation(const Tensor& gateUp, Activation activation) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("adaptive_trainer::gated_activation");
  return call(op, gateUp, static_cast<int64_t>(activation));
}
Tensor gatedActivationBackward(const Tensor& dy, const Tensor& gateUp, Activation activation) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, int64_t)>("adaptive_trainer::gated_activation_backward");
  return call(op, dy, gateUp, static_cast<int64_t>(activation));
}
std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t heads,
                                     int64_t kvHeads, double scale, int64_t window, double softCap) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, int64_t, int64_t, double, int64_t,
                                      double)>("adaptive_trainer::attention");
  return call(op, qkv, cuSeqlens, heads, kvHeads, scale, window, softCap);
}
Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t heads, int64_t kvHeads, double scale,
                         int64_t window, double softCap) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t,
                  double, int64_t, double)>("adaptive_trainer::attention_backward");
  return call(op, dOut, qkv, out, lse, cuSeqlens, heads, kvHeads, scale, window, softCap);
}
Tensor attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale, int64_t window,
                       double softCap) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, const Tensor&, double, int64_t, double)>(
      "adaptive_trainer::attention_cached");
  return call(op, q, k, v, scale, window, softCap);
}
std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&)>("adaptive_trainer::token_statistics");
  return call(op, logits, labels);
}
void softCap_(Tensor x, double cap) {
  static const auto op = find<void(Tensor, double)>("adaptive_trainer::soft_cap_");
  call(op, x, cap);
}
Tensor topKEntropy(const Tensor& logits, int64_t k) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("adaptive_trainer::top_k_entropy");
  return call(op, logits, k);
}
void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights, double cap) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&, double)>(
          "adaptive_trainer::loss_gradient_");
  call(op, logits, labels, floats, ints, weights, cap);
}

}  // namespace adaptive::ops
