#include "core/model/layers.h"

#include "core/ops.h"

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// A Parameter outlives every graph that mentions it (the decoder owns it), so a graph node may hold its
// address.
void keep(AutogradContext* ctx, const char* key, Parameter* parameter) {
  ctx->saved_data[key] = reinterpret_cast<int64_t>(parameter);
}
Parameter* kept(AutogradContext* ctx, const char* key) {
  return reinterpret_cast<Parameter*>(ctx->saved_data[key].toInt());
}

struct Embed : torch::autograd::Function<Embed> {
  // `anchor` carries no value: it is there so that the output is part of a graph.
  static Tensor forward(AutogradContext* ctx, const Tensor& /*anchor*/, const Tensor& ids,
                        Parameter* weight) {
    ctx->save_for_backward({ids});
    keep(ctx, "weight", weight);
    return at::index_select(weight->master(), 0, ids).to(at::kFloat);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    kept(ctx, "weight")->gradientToAddTo().index_add_(0, ctx->get_saved_variables()[0], grads[0]);
    return {Tensor(), Tensor(), Tensor()};
  }
};

struct Linear : torch::autograd::Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, Parameter* weight, Parameter* bias) {
    ctx->save_for_backward({x});
    keep(ctx, "weight", weight);
    keep(ctx, "bias", bias);
    const Tensor transposed = weight->compute().t();
    return bias ? at::addmm(bias->compute(), x, transposed) : at::mm(x, transposed);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    Parameter* weight = kept(ctx, "weight");
    if (Parameter* bias = kept(ctx, "bias")) bias->accumulate(dy.sum(0, false, at::kFloat));
    weight->accumulateOuter(dy, x);
    return {at::mm(dy, weight->compute()), Tensor(), Tensor()};
  }
};

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, Parameter* weight, double eps,
                        at::ScalarType dtype) {
    auto [y, rstd] = ops::rmsNorm(x, weight->compute(), eps, dtype);
    ctx->save_for_backward({x, rstd});
    keep(ctx, "weight", weight);
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    Parameter* weight = kept(ctx, "weight");
    const Tensor dx =
        ops::rmsNormBackward(grads[0], saved[0], weight->compute(), saved[1], weight->gradientToAddTo());
    return {dx, Tensor(), Tensor(), Tensor()};
  }
};

struct Swiglu : torch::autograd::Function<Swiglu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& gateUp) {
    ctx->save_for_backward({gateUp});
    return ops::swiglu(gateUp);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    return {ops::swigluBackward(grads[0], ctx->get_saved_variables()[0])};
  }
};

struct RotaryAttention : torch::autograd::Function<RotaryAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& qkv, const Tensor& cos, const Tensor& sin,
                        const Tensor& cuSeqlens, const AttentionShape& shape) {
    ops::rotate_(qkv, cos, sin, shape.heads + shape.kvHeads, shape.headDim, /*back=*/false);
    auto [out, lse] = ops::attention(qkv, cuSeqlens, shape.heads, shape.kvHeads, shape.scale, shape.window);
    ctx->save_for_backward({qkv, out, lse, cos, sin, cuSeqlens});
    ctx->saved_data["heads"] = shape.heads;
    ctx->saved_data["kvHeads"] = shape.kvHeads;
    ctx->saved_data["headDim"] = shape.headDim;
    ctx->saved_data["scale"] = shape.scale;
    ctx->saved_data["window"] = shape.window;
    return out;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const int64_t heads = ctx->saved_data["heads"].toInt(), kvHeads = ctx->saved_data["kvHeads"].toInt();
    Tensor dQkv =
        ops::attentionBackward(grads[0], saved[0], saved[1], saved[2], saved[5], heads, kvHeads,
                               ctx->saved_data["scale"].toDouble(), ctx->saved_data["window"].toInt());
    ops::rotate_(dQkv, saved[3], saved[4], heads + kvHeads, ctx->saved_data["headDim"].toInt(),
                 /*back=*/true);
    return {dQkv, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor embed(Parameter& weight, const Tensor& ids) {
  const Tensor anchor = at::empty({0}, at::kFloat).set_requires_grad(at::GradMode::is_enabled());
  return Embed::apply(anchor, ids, &weight);
}

Tensor linear(const Tensor& x, Parameter& weight, Parameter* bias) { return Linear::apply(x, &weight, bias); }

Tensor rmsNorm(const Tensor& x, Parameter& weight, double eps, at::ScalarType dtype) {
  return RmsNorm::apply(x, &weight, eps, dtype);
}

Tensor swiglu(const Tensor& gateUp) { return Swiglu::apply(gateUp); }

Tensor rotaryAttention(const Tensor& qkv, const Rotation& rotation, const Tensor& cuSeqlens,
                       const AttentionShape& shape) {
  return RotaryAttention::apply(qkv, rotation.cos, rotation.sin, cuSeqlens, shape);
}

}  // namespace adaptive
