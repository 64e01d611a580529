// The schema of every operator of ops.h.
#include "core/ops/library.h"

ADAPTIVE_LIBRARY(m) {
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
  m.def(
      "rotate_(Tensor(a!) x, Tensor cos, Tensor sin, int heads, int head_dim, bool interleaved, bool back) "
      "-> ()");
  m.def("add_rows_(Tensor(a!) table, Tensor ids, Tensor rows, float scale) -> ()");
  m.def("gated_activation(Tensor gate_up, int activation) -> Tensor");
  m.def("gated_activation_backward(Tensor dy, Tensor gate_up, int activation) -> Tensor");
  m.def(
      "attention(Tensor qkv, Tensor cu_seqlens, int longest, int heads, int kv_heads, float scale, int "
      "window, "
      "float soft_cap, float dropout, int key) -> (Tensor, Tensor)");
  m.def(
      "attention_backward(Tensor d_out, Tensor qkv, Tensor out, Tensor lse, Tensor cu_seqlens, int longest, "
      "int heads, "
      "int kv_heads, "
      "float scale, int window, float soft_cap, float dropout, int key) -> Tensor");
  m.def(
      "attention_cached(Tensor q, Tensor k, Tensor v, float scale, int window, float soft_cap) -> (Tensor, "
      "Tensor)");
  m.def(
      "attend_next(Tensor q, Tensor[] k, Tensor[] v, float scale, int window, float soft_cap) -> (Tensor, "
      "Tensor)");
  m.def("thin_product(Tensor a, Tensor weight) -> Tensor");
  m.def("float_product_(Tensor(a!) out, Tensor a, Tensor b, float beta, float scale) -> ()");
  m.def("free_bytes(Tensor like) -> int");
  m.def("device_memory(Tensor like) -> (int, int, int)");
  m.def("host_bytes(Tensor like, int bytes) -> Tensor");
  m.def("pinned_bytes(Tensor like, int bytes) -> Tensor");
  m.def("dropout(Tensor x, float rate, int key) -> Tensor");
  m.def("uniform(Tensor like, int key) -> Tensor");
  m.def("token_statistics(Tensor logits, Tensor labels) -> (Tensor, Tensor)");
  m.def("soft_cap_(Tensor(a!) x, float cap) -> ()");
  m.def("top_k_entropy(Tensor logits, int k) -> Tensor");
  m.def("first_choices(Tensor logits, int k) -> (Tensor, Tensor)");
  m.def(
      "loss_gradient_(Tensor(a!) logits, Tensor labels, Tensor floats, Tensor ints, Tensor weights, float "
      "cap, float smoothing) "
      "-> ()");
  m.def("forms_float_logits(Tensor hidden) -> bool");
  m.def(
      "loss_gradient_into_(Tensor(a!) gradient, Tensor logits, Tensor labels, Tensor floats, Tensor ints, "
      "Tensor weights, float cap, float smoothing) -> ()");
  m.def(
      "keep_numerators_(Tensor(a!) kept, Tensor logits, Tensor labels, Tensor floats, Tensor ints, float "
      "cap) "
      "-> ()");
  m.def("numerator_scales(Tensor labels, Tensor floats, Tensor ints, Tensor weights, float cap) -> Tensor");
  m.def(
      "from_numerators(Tensor product, Tensor weight, Tensor scales, Tensor labels, Tensor ints) -> Tensor");
  m.def("divergence_(Tensor(a!) logits, Tensor base, float weight, float cap) -> Tensor");
  m.def(
      "adamw_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] moments1, Tensor(c!)[] moments2, float "
      "beta1, float beta2, float epsilon, float learning_rate, float weight_decay, float gradient_scale, int "
      "step, int[] noises) -> ()");
  m.def(
      "adamw_8bit_(Tensor(a!) weight, Tensor gradient, Tensor(b!) codes1, Tensor(c!) scales1, Tensor(d!) "
      "codes2, "
      "Tensor(e!) scales2, float beta1, float beta2, float step_size, float epsilon, float decay, float "
      "gradient_scale, int noise) -> ()");
  m.def("decode_moments(Tensor codes, Tensor scales, bool is_signed) -> Tensor");
  m.def("encode_moments_(Tensor values, Tensor(a!) codes, Tensor(b!) scales, bool is_signed) -> ()");
  m.def(
      "lion_(Tensor(a!) weight, Tensor gradient, Tensor(b!) moment, float beta1, float beta2, float "
      "learning_rate, "
      "float decay, float gradient_scale) -> ()");
  m.def(
      "dequantize_(Tensor(a!) out, Tensor packed, Tensor? codes, Tensor scales, int block_size, int columns, "
      "int first_row, int first_column) -> ()");
  m.def("round_stochastically_(Tensor(a!) to, Tensor from, int key, int first_index) -> ()");
}
