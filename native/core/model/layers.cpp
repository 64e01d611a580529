#include "core/model/layers.h"

#include "core/ops/ops.h"

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
  static Tensor forward(AutogradContext* ctx, const Tensor& /*anchor*/, const Tensor& ids, Parameter* weight,
                        double scale, int64_t paddingId, const TableAdapter* adapter) {
    ctx->save_for_backward({ids});
    ctx->saved_data["adapter"] = reinterpret_cast<int64_t>(adapter);
    keep(ctx, "weight", weight);
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["paddingId"] = paddingId;
    Tensor rows = at::index_select(weight->master(), 0, ids).to(at::kFloat);
    if (const LoraAdapter* low = lowOf(adapter))
      rows.addmm_(raised(*low, ids), low->a().master().to(at::kFloat), 1, low->scale());
    return scale == 1 ? rows : rows.mul_(scale);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    Parameter* weight = kept(ctx, "weight");
    const auto* adapter = reinterpret_cast<const TableAdapter*>(ctx->saved_data["adapter"].toInt());
    const tensor_list none(6);
    if (!weight->trainable() && !adapter) return none;
    Tensor ids = ctx->get_saved_variables()[0], dy = grads[0];
    const double scale = ctx->saved_data["scale"].toDouble();
    const LoraAdapter* low = lowOf(adapter);
    if (low) low->a().accumulateOuter(raised(*low, ids) * (low->scale() * scale), dy);
    const int64_t paddingId = ctx->saved_data["paddingId"].toInt();
    if (paddingId >= 0) {
      const Tensor kept = ids.ne(paddingId).nonzero().squeeze(1);
      if (kept.size(0) < ids.size(0)) ids = ids.index_select(0, kept), dy = dy.index_select(0, kept);
    }
    if (weight->trainable()) ops::addRows_(weight->gradientToAddTo(), ids, dy, scale);
    if (low && low->b().trainable()) {
      ops::addRows_(low->b().gradientToAddTo(), ids, at::mm(dy, low->a().master().to(at::kFloat).t()),
                    low->scale() * scale);
    }
    if (adapter && adapter->rows) adapter->rows->accumulateLookedUp(ids, scale == 1 ? dy : dy * scale);
    return none;
  }
  static const LoraAdapter* lowOf(const TableAdapter* adapter) {
    return adapter ? adapter->low.get() : nullptr;
  }
  /// Rows of B.
  static Tensor raised(const LoraAdapter& low, const Tensor& ids) {
    return low.b().master().index_select(0, ids).to(at::kFloat);
  }
};

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, Parameter* weight, const NormShape& shape,
                        at::ScalarType dtype) {
    auto [y, rstd] = ops::rmsNorm(x, weight->compute(), shape.eps, shape.offset, dtype);
    ctx->saved_data["offset"] = shape.offset;
    ctx->save_for_backward({x, rstd});
    keep(ctx, "weight", weight);
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    Parameter* weight = kept(ctx, "weight");
    const Tensor dx = ops::rmsNormBackward(grads[0], saved[0], weight->compute(), saved[1],
                                           ctx->saved_data["offset"].toDouble(), weight->gradientTarget());
    return {dx, Tensor(), Tensor(), Tensor()};
  }
};

std::optional<Tensor> valueOf(const Parameter* parameter) {
  return parameter ? std::optional(parameter->compute()) : std::nullopt;
}

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, Parameter* weight, Parameter* bias, double eps,
                        at::ScalarType dtype) {
    const auto [y, mean, rstd] = at::native_layer_norm(x, {x.size(1)}, valueOf(weight), valueOf(bias), eps);
    ctx->save_for_backward({x, mean, rstd});
    keep(ctx, "weight", weight);
    keep(ctx, "bias", bias);
    return y.to(dtype);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    Parameter *weight = kept(ctx, "weight"), *bias = kept(ctx, "bias");
    const bool dW = weight && weight->trainable(), dB = bias && bias->trainable();
    const auto [dx, dWeight, dBias] =
        at::native_layer_norm_backward(grads[0].to(at::kFloat), saved[0], {saved[0].size(1)}, saved[1],
                                       saved[2], valueOf(weight), valueOf(bias), {true, dW, dB});
    if (dW) weight->accumulate(dWeight);
    if (dB) bias->accumulate(dBias);
    return {dx, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct GatedActivation : torch::autograd::Function<GatedActivation> {
  static Tensor forward(AutogradContext* ctx, const Tensor& gateUp, Activation activation) {
    ctx->save_for_backward({gateUp});
    ctx->saved_data["activation"] = static_cast<int64_t>(activation);
    return ops::gatedActivation(gateUp, activation);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto activation = static_cast<Activation>(ctx->saved_data["activation"].toInt());
    return {ops::gatedActivationBackward(grads[0], ctx->get_saved_variables()[0], activation), Tensor()};
  }
};

/// See Activation::ClampedSwiglu. Recorded by autograd.
Tensor clampedSwiglu(const Tensor& gateUp) {
  constexpr double kSlope = 1.702, kLimit = 7;
  const auto every2nd = [&](int64_t first) { return gateUp.slice(1, first, gateUp.size(1), 2); };
  const Tensor gate = every2nd(0).clamp_max(kLimit), up = every2nd(1).clamp(-kLimit, kLimit);
  return ((up + 1) * (gate * (gate * kSlope).sigmoid())).contiguous();
}

/// Gives each head a key of no value that scores `sinks` [heads]: the others get less of the softmax. out
/// [tokens, heads·headDim] is changed in place; → the new lse.
Tensor withSinks(const Tensor& out, const Tensor& lse, const Tensor& sinks) {
  const Tensor all = at::logaddexp(lse, sinks.unsqueeze(1));
  const Tensor share = (lse - all).exp_().t().unsqueeze(2);
  out.view({out.size(0), lse.size(0), -1}).mul_(share);
  return all;
}

struct HeadNorm : torch::autograd::Function<HeadNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& qkv, Parameter* qWeight, Parameter* kWeight,
                        const AttentionShape& heads, const NormShape& shape) {
    const auto [y, rstd] = ops::headNorm(qkv, qWeight->compute(), kWeight->compute(), heads.heads,
                                         heads.kvHeads, shape.eps, shape.offset);
    ctx->save_for_backward({qkv, rstd});
    keep(ctx, "qWeight", qWeight);
    keep(ctx, "kWeight", kWeight);
    ctx->saved_data["heads"] = heads.heads;
    ctx->saved_data["kvHeads"] = heads.kvHeads;
    ctx->saved_data["offset"] = shape.offset;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    Parameter *qWeight = kept(ctx, "qWeight"), *kWeight = kept(ctx, "kWeight");
    // The gradient comes from RotaryAttention alone, which made it: it may be overwritten.
    Tensor dQkv = grads[0].contiguous();
    ops::headNormBackward_(dQkv, saved[0], qWeight->compute(), kWeight->compute(), saved[1],
                           ctx->saved_data["heads"].toInt(), ctx->saved_data["kvHeads"].toInt(),
                           ctx->saved_data["offset"].toDouble(), qWeight->gradientTarget(),
                           kWeight->gradientTarget());
    return {dQkv, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

/// x·weight + bias for x float32 [tokens, heads, headDim].
struct HeadAffine : torch::autograd::Function<HeadAffine> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, Parameter* weight, Parameter* bias) {
    ctx->save_for_backward({x});
    keep(ctx, "weight", weight);
    keep(ctx, "bias", bias);
    const Tensor y = x * weight->compute().view({-1, x.size(2)});
    return bias ? y + bias->compute().view({-1, x.size(2)}) : y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const Tensor x = ctx->get_saved_variables()[0], dy = grads[0];
    Parameter *weight = kept(ctx, "weight"), *bias = kept(ctx, "bias");
    gather(*weight, dy * x);
    if (bias) gather(*bias, dy);
    return {dy * weight->compute().view({-1, x.size(2)}), Tensor(), Tensor()};
  }
  /// dParameter [tokens, heads, headDim] before it is summed over what the parameter serves.
  static void gather(Parameter& parameter, const Tensor& terms) {
    const Tensor ofHeads = terms.sum(0), &value = parameter.master();
    parameter.accumulate((value.numel() == ofHeads.numel() ? ofHeads : ofHeads.sum(0)).view(value.sizes()));
  }
};

struct RotaryAttention : torch::autograd::Function<RotaryAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& qkv, const Rotation& rotation,
                        const RowOffsets& rows, const AttentionShape& shape, Parameter* sinks, double dropout,
                        int64_t key) {
    const auto& [cos, sin, interleaved] = rotation;
    if (cos.defined())
      ops::rotate_(qkv, cos, sin, shape.heads + shape.kvHeads, shape.headDim, interleaved, /*back=*/false);
    auto [out, lse] =
        ops::attention(qkv, rows.cuSeqlens, rows.longest, shape.heads, shape.kvHeads, shape.scale,
                       shape.window, shape.softCap, dropout, static_cast<uint64_t>(key));
    // A mask on the weights and the share that the sinks take multiply: their order changes nothing.
    if (sinks) lse = withSinks(out, lse, sinks->master().to(at::kFloat));
    keep(ctx, "sinks", sinks);
    ctx->save_for_backward({qkv, out, lse, cos, sin, rows.cuSeqlens});
    ctx->saved_data["longest"] = rows.longest;
    ctx->saved_data["interleaved"] = interleaved;
    ctx->saved_data["heads"] = shape.heads;
    ctx->saved_data["kvHeads"] = shape.kvHeads;
    ctx->saved_data["headDim"] = shape.headDim;
    ctx->saved_data["scale"] = shape.scale;
    ctx->saved_data["window"] = shape.window;
    ctx->saved_data["softCap"] = shape.softCap;
    ctx->saved_data["dropout"] = dropout;
    ctx->saved_data["key"] = key;
    return out;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const int64_t heads = ctx->saved_data["heads"].toInt(), kvHeads = ctx->saved_data["kvHeads"].toInt();
    Parameter* sinks = kept(ctx, "sinks");
    if (sinks && sinks->trainable()) {
      const Tensor delta = (grads[0].to(at::kFloat) * saved[1]).view({grads[0].size(0), heads, -1}).sum(2);
      const Tensor share = (sinks->master().to(at::kFloat).unsqueeze(1) - saved[2]).exp_();
      sinks->accumulate(-(share * delta.t()).sum(1));
    }
    Tensor dQkv = ops::attentionBackward(
        grads[0], saved[0], saved[1], saved[2], saved[5], ctx->saved_data["longest"].toInt(), heads, kvHeads,
        ctx->saved_data["scale"].toDouble(), ctx->saved_data["window"].toInt(),
        ctx->saved_data["softCap"].toDouble(), ctx->saved_data["dropout"].toDouble(),
        static_cast<uint64_t>(ctx->saved_data["key"].toInt()));
    if (saved[3].defined()) {
      ops::rotate_(dQkv, saved[3], saved[4], heads + kvHeads, ctx->saved_data["headDim"].toInt(),
                   ctx->saved_data["interleaved"].toBool(), /*back=*/true);
    }
    return {dQkv, Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct Dropped : torch::autograd::Function<Dropped> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double rate, int64_t key) {
    ctx->saved_data["rate"] = rate;
    ctx->saved_data["key"] = key;
    return ops::dropout(x, rate, static_cast<uint64_t>(key));
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto key = static_cast<uint64_t>(ctx->saved_data["key"].toInt());
    return {ops::dropout(grads[0], ctx->saved_data["rate"].toDouble(), key), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor embed(Parameter& weight, const Tensor& ids, double scale, int64_t paddingId,
             const TableAdapter* adapter) {
  const Tensor anchor = at::empty({0}, weight.master().options().dtype(at::kFloat))
                            .set_requires_grad(at::GradMode::is_enabled());
  return Embed::apply(anchor, ids, &weight, scale, paddingId, adapter && *adapter ? adapter : nullptr);
}

Tensor rmsNorm(const Tensor& x, Parameter& weight, const NormShape& shape, at::ScalarType dtype) {
  return RmsNorm::apply(x, &weight, shape, dtype);
}

Tensor layerNorm(const Tensor& x, Parameter* weight, Parameter* bias, double eps, at::ScalarType dtype) {
  return LayerNorm::apply(x, weight, bias, eps, dtype);
}

Tensor gatedActivation(const Tensor& gateUp, Activation activation) {
  if (activation == Activation::ClampedSwiglu) return clampedSwiglu(gateUp);
  return GatedActivation::apply(gateUp, activation);
}

Tensor activated(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::GeluTanh:
      return at::gelu(x, "tanh");
    case Activation::Gelu:
      return at::gelu(x, "none");
    case Activation::Relu:
      return at::relu(x);
    default:
      return at::silu(x);
  }
}

Tensor headNorm(const Tensor& qkv, Parameter& qWeight, Parameter& kWeight, const AttentionShape& heads,
                const NormShape& shape) {
  return HeadNorm::apply(qkv, &qWeight, &kWeight, heads, shape);
}

Tensor headLayerNorm(const Tensor& x, int64_t headDim, Parameter& weight, Parameter* bias, double eps) {
  const Tensor heads = x.to(at::kFloat).reshape({x.size(0), -1, headDim});
  const Tensor normed = at::layer_norm(heads, {headDim}, {}, {}, eps);
  return HeadAffine::apply(normed, &weight, bias).flatten(1).to(x.scalar_type());
}

Tensor rotaryAttention(const Tensor& qkv, const Rotation& rotation, const RowOffsets& rows,
                       const AttentionShape& shape, Parameter* sinks, double dropout, const DropoutKey& key) {
  return RotaryAttention::apply(qkv, rotation, rows, shape, sinks, key ? dropout : 0.0,
                                static_cast<int64_t>(key.value_or(0)));
}

Tensor attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionShape& shape,
                       const Parameter* sinks) {
  const auto [out, lse] = ops::attentionCached(q, k, v, shape.scale, shape.window, shape.softCap);
  if (sinks) withSinks(out, lse, sinks->master().to(at::kFloat));
  return out;
}

Tensor attendNext(const Tensor& q, at::TensorList k, at::TensorList v, const AttentionShape& shape,
                  const Parameter* sinks) {
  const auto [out, lse] = ops::attendNext(q, k, v, shape.scale, shape.window, shape.softCap);
  if (sinks) withSinks(out, lse, sinks->master().to(at::kFloat));
  return out;
}

Tensor dropped(const Tensor& x, double rate, const DropoutKey& key) {
  if (!key || rate == 0) return x;
  return Dropped::apply(x, rate, static_cast<int64_t>(*key));
}

}  // namespace adaptive
