#include "cuda/libtorch_attention.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <limits>
#include <optional>

namespace adaptive::cuda {
namespace {

using at::Tensor;

/// Queries, keys and values [tokens, heads, headDim]: views of a fused projection.
struct Parts {
  Tensor q, k, v;
};
Parts partsOf(const Tensor& qkv, const AttentionHeads& h) {
  const int64_t all = h.heads + 2 * h.kvHeads;
  const Tensor heads = qkv.view({qkv.size(0), all, qkv.size(1) / all});
  return {heads.narrow(1, 0, h.heads), heads.narrow(1, h.heads, h.kvHeads),
          heads.narrow(1, h.heads + h.kvHeads, h.kvHeads)};
}

// ---- flash

/// Keys before a query's own that it sees; nothing: all.
std::optional<int64_t> before(int64_t window) {
  return window > 0 ? std::optional(window - 1) : std::nullopt;
}
std::optional<int64_t> after(int64_t window) { return window > 0 ? std::optional<int64_t>(0) : std::nullopt; }

/// Sums in one order, and no memory filled for it.
class Deterministic {
 public:
  Deterministic() {
    context_.setDeterministicAlgorithms(true, /*warn_only=*/false);
    context_.setDeterministicFillUninitializedMemory(false);
  }
  ~Deterministic() {
    context_.setDeterministicAlgorithms(was_, warned_);
    context_.setDeterministicFillUninitializedMemory(filled_);
  }
  Deterministic(const Deterministic&) = delete;

 private:
  at::Context& context_ = at::globalContext();
  const bool was_ = context_.deterministicAlgorithms(), warned_ = context_.deterministicAlgorithmsWarnOnly(),
             filled_ = context_.deterministicFillUninitializedMemory();
};

// ---- memory-efficient

/// Position i of a row sees as many keys as come before its end at most: sdp::CustomMaskType.
constexpr int64_t kCausalFromBottomRight = 2;
/// What libtorch pads the rows of an lse to.
constexpr int64_t kLseAlignment = 32;

std::optional<int64_t> windowOf(int64_t window) { return window > 0 ? std::optional(window) : std::nullopt; }

/// x [tokens, kvHeads, headDim] with a head for each query's: releases before 2.14 know no groups.
Tensor ungrouped(const Tensor& x, int64_t heads) {
  return x.size(1) == heads ? x : x.repeat_interleave(heads / x.size(1), 1);
}

/// Which row each token of a batch is in, and where.
struct Places {
  Tensor row, position;
};
Places placesOf(const Tensor& cuSeqlens, int64_t tokens) {
  const Tensor token = at::arange(tokens, cuSeqlens.options().dtype(at::kLong));
  const Tensor starts = cuSeqlens.to(at::kLong);
  const Tensor row = at::searchsorted(starts, token, /*out_int32=*/false, /*right=*/true) - 1;
  return {row, token - starts.index_select(0, row)};
}

/// [rows, heads, longest or more] → [heads, tokens].
Tensor flatLse(const Tensor& padded, const Tensor& cuSeqlens, int64_t tokens) {
  const auto [row, position] = placesOf(cuSeqlens, tokens);
  return padded.transpose(1, 2).index({row, position}).t().contiguous();
}

/// The reverse. Where there is no query it is infinite, so that no weight is left.
Tensor paddedLse(const Tensor& flat, const Tensor& cuSeqlens, int64_t longest) {
  const auto [row, position] = placesOf(cuSeqlens, flat.size(1));
  const int64_t width = (longest + kLseAlignment - 1) / kLseAlignment * kLseAlignment;
  const Tensor padded = at::full({cuSeqlens.numel() - 1, flat.size(0), width},
                                 std::numeric_limits<float>::infinity(), flat.options());
  padded.transpose(1, 2).index_put_({row, position}, flat.t());
  return padded;
}

/// dk [tokens, heads, headDim] → the sums of groups [tokens, kvHeads, headDim].
Tensor summedGroups(const Tensor& dk, int64_t kvHeads) {
  if (dk.size(1) == kvHeads) return dk;
  return dk.view({dk.size(0), kvHeads, dk.size(1) / kvHeads, dk.size(2)}).sum(2);
}

}  // namespace

std::tuple<Tensor, Tensor> flashAttention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest,
                                          const AttentionHeads& heads) {
  const auto [q, k, v] = partsOf(qkv, heads);
  const auto result = at::_flash_attention_forward(
      q, k, v, cuSeqlens, cuSeqlens, longest, longest, /*dropout_p=*/0, /*is_causal=*/true,
      /*return_debug_mask=*/false, heads.scale, before(heads.window), after(heads.window));
  return {std::get<0>(result).reshape({qkv.size(0), -1}), std::get<1>(result)};
}

Tensor flashAttentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                              const Tensor& cuSeqlens, int64_t longest, const AttentionHeads& heads) {
  const auto [q, k, v] = partsOf(qkv, heads);
  const Deterministic deterministic;
  // The random state of a dropout that there is none of.
  const Tensor unused = at::zeros({2}, qkv.options().dtype(at::kLong));
  const auto [dQ, dK, dV] = at::_flash_attention_backward(
      dOut.reshape(q.sizes()), q, k, v, out.view(q.sizes()), lse, cuSeqlens, cuSeqlens, longest, longest,
      /*dropout_p=*/0, /*is_causal=*/true, unused, unused, heads.scale, before(heads.window),
      after(heads.window));
  return at::cat({dQ, dK, dV}, 1).view(qkv.sizes());
}

std::tuple<Tensor, Tensor> flashAttentionCached(const Tensor& q, const Tensor& k, const Tensor& v,
                                                double scale, int64_t window) {
  const auto result = at::_flash_attention_forward(
      q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), std::nullopt, std::nullopt, q.size(0), k.size(0),
      /*dropout_p=*/0, /*is_causal=*/true, /*return_debug_mask=*/false, scale, before(window), after(window));
  return {std::get<0>(result).reshape({q.size(0), -1}), std::get<1>(result).squeeze(0)};
}

std::tuple<Tensor, Tensor> efficientAttention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest,
                                              const AttentionHeads& heads) {
  const auto [q, k, v] = partsOf(qkv, heads);
  const auto result = at::_efficient_attention_forward(
      q.unsqueeze(0), ungrouped(k, heads.heads).unsqueeze(0), ungrouped(v, heads.heads).unsqueeze(0),
      /*bias=*/std::nullopt, cuSeqlens, cuSeqlens, longest, longest, /*dropout_p=*/0, kCausalFromBottomRight,
      /*compute_log_sumexp=*/true, heads.scale, /*seqlen_k=*/std::nullopt, windowOf(heads.window));
  return {std::get<0>(result).reshape({qkv.size(0), -1}),
          flatLse(std::get<1>(result), cuSeqlens, qkv.size(0))};
}

Tensor efficientAttentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                                  const Tensor& cuSeqlens, int64_t longest, const AttentionHeads& heads) {
  const auto [q, k, v] = partsOf(qkv, heads);
  const Tensor unused = at::zeros({}, at::kLong);
  const Tensor whole = q.unsqueeze(0);
  const auto result = at::_efficient_attention_backward(
      dOut.reshape(whole.sizes()), whole, ungrouped(k, heads.heads).unsqueeze(0),
      ungrouped(v, heads.heads).unsqueeze(0), /*bias=*/std::nullopt, out.view(whole.sizes()), cuSeqlens,
      cuSeqlens, longest, longest, paddedLse(lse, cuSeqlens, longest), /*dropout_p=*/0, unused, unused,
      kCausalFromBottomRight, /*bias_requires_grad=*/false, heads.scale,
      /*num_splits_key=*/1,  // the only one with an order
      windowOf(heads.window));
  const auto ofGroups = [&](const Tensor& d) { return summedGroups(d.squeeze(0), heads.kvHeads); };
  return at::cat(
             {std::get<0>(result).squeeze(0), ofGroups(std::get<1>(result)), ofGroups(std::get<2>(result))},
             1)
      .view(qkv.sizes());
}

std::tuple<Tensor, Tensor> efficientAttentionCached(const Tensor& q, const Tensor& k, const Tensor& v,
                                                    double scale, int64_t window) {
  const int64_t heads = q.size(1);
  const auto result = at::_efficient_attention_forward(
      q.unsqueeze(0), ungrouped(k, heads).unsqueeze(0), ungrouped(v, heads).unsqueeze(0),
      /*bias=*/std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt, /*dropout_p=*/0,
      kCausalFromBottomRight, /*compute_log_sumexp=*/true, scale, /*seqlen_k=*/std::nullopt,
      windowOf(window));
  return {std::get<0>(result).reshape({q.size(0), -1}),
          std::get<1>(result).squeeze(0).narrow(1, 0, q.size(0)).contiguous()};
}

}  // namespace adaptive::cuda
