#include "core/ops.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

TORCH_LIBRARY(adaptive_trainer, m) {
  m.def("rms_norm(Tensor x, Tensor weight, float eps, ScalarType dtype) -> (Tensor, Tensor)");
  m.def("rms_norm_backward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor(a!)? d_weight) -> Tensor");
  m.def("rotate_(Tensor(a!) x, Tensor cos, Tensor sin, int heads, int head_dim, bool back) -> ()");
  m.def("swiglu(Tensor gate_up) -> Tensor");
  m.def("swiglu_backward(Tensor dy, Tensor gate_up) -> Tensor");
  m.def(
      "attention(Tensor qkv, Tensor cu_seqlens, int heads, int kv_heads, float scale, int window) -> "
      "(Tensor, Tensor)");
  m.def(
      "attention_backward(Tensor d_out, Tensor qkv, Tensor out, Tensor lse, Tensor cu_seqlens, int heads, "
      "int kv_heads, "
      "float scale, int window) -> Tensor");
  m.def("attention_cached(Tensor q, Tensor k, Tensor v, float scale, int window) -> Tensor");
  m.def("token_statistics(Tensor logits, Tensor labels) -> (Tensor, Tensor)");
  m.def("top_k_entropy(Tensor logits, int k) -> Tensor");
  m.def("loss_gradient_(Tensor(a!) logits, Tensor labels, Tensor floats, Tensor ints, Tensor weights) -> ()");
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

std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, at::ScalarType dtype) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, double, at::ScalarType)>(
          "adaptive_trainer::rms_norm");
  return call(op, x, weight, eps, dtype);
}
Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       const std::optional<Tensor>& dWeight) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&)>(
          "adaptive_trainer::rms_norm_backward");
  return call(op, dy, x, weight, rstd, dWeight);
}
void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool back) {
  static const auto op =
      find<void(Tensor, const Tensor&, const Tensor&, int64_t, int64_t, bool)>("adaptive_trainer::rotate_");
  call(op, x, cos, sin, heads, headDim, back);
}
Tensor swiglu(const Tensor& gateUp) {
  static const auto op = find<Tensor(const Tensor&)>("adaptive_trainer::swiglu");
  return call(op, gateUp);
}
Tensor swigluBackward(const Tensor& dy, const Tensor& gateUp) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&)>("adaptive_trainer::swiglu_backward");
  return call(op, dy, gateUp);
}
std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t heads,
                                     int64_t kvHeads, double scale, int64_t window) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, int64_t, int64_t, double, int64_t)>(
          "adaptive_trainer::attention");
  return call(op, qkv, cuSeqlens, heads, kvHeads, scale, window);
}
Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t heads, int64_t kvHeads, double scale,
                         int64_t window) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t,
                  double, int64_t)>("adaptive_trainer::attention_backward");
  return call(op, dOut, qkv, out, lse, cuSeqlens, heads, kvHeads, scale, window);
}
Tensor attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale, int64_t window) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, const Tensor&, double, int64_t)>(
      "adaptive_trainer::attention_cached");
  return call(op, q, k, v, scale, window);
}
std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&)>("adaptive_trainer::token_statistics");
  return call(op, logits, labels);
}
Tensor topKEntropy(const Tensor& logits, int64_t k) {
  static const auto op = find<Tensor(const Tensor&, int64_t)>("adaptive_trainer::top_k_entropy");
  return call(op, logits, k);
}
void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights) {
  static const auto op = find<void(Tensor, const Tensor&, const Tensor&, const Tensor&, const Tensor&)>(
      "adaptive_trainer::loss_gradient_");
  call(op, logits, labels, floats, ints, weights);
}

}  // namespace adaptive::ops
