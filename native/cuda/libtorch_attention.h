// Attention by libtorch's own kernels, with the arguments and results of the operators of core (ops.h).
#pragma once
#include <ATen/core/Tensor.h>

#include <tuple>

namespace adaptive::cuda {

/// How many heads there are, what scores are multiplied with, and how many keys a query sees (0: all).
struct AttentionHeads {
  int64_t heads, kvHeads;
  double scale;
  int64_t window;
};

/// → (out [tokens, heads·headDim], lse [heads, tokens] float32).
std::tuple<at::Tensor, at::Tensor> flashAttention(const at::Tensor& qkv, const at::Tensor& cuSeqlens,
                                                  int64_t longest, const AttentionHeads& heads);
/// → dQkv, whose sums have one order.
at::Tensor flashAttentionBackward(const at::Tensor& dOut, const at::Tensor& qkv, const at::Tensor& out,
                                  const at::Tensor& lse, const at::Tensor& cuSeqlens, int64_t longest,
                                  const AttentionHeads& heads);
/// The last q.size(0) positions of a cache: q [n, heads, headDim], k and v [keys, kvHeads, headDim].
std::tuple<at::Tensor, at::Tensor> flashAttentionCached(const at::Tensor& q, const at::Tensor& k,
                                                        const at::Tensor& v, double scale, int64_t window);

/// The same by memory-efficient attention.
std::tuple<at::Tensor, at::Tensor> efficientAttention(const at::Tensor& qkv, const at::Tensor& cuSeqlens,
                                                      int64_t longest, const AttentionHeads& heads);
at::Tensor efficientAttentionBackward(const at::Tensor& dOut, const at::Tensor& qkv, const at::Tensor& out,
                                      const at::Tensor& lse, const at::Tensor& cuSeqlens, int64_t longest,
                                      const AttentionHeads& heads);
std::tuple<at::Tensor, at::Tensor> efficientAttentionCached(const at::Tensor& q, const at::Tensor& k,
                                                            const at::Tensor& v, double scale,
                                                            int64_t window);

}  // namespace adaptive::cuda
