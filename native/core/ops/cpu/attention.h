#pragma once
#include <ATen/core/Tensor.h>

namespace adaptive::cpu {

/// See ops.h. Scores exist for one tile of queries and keys of one head at a time, so memory does not grow
/// with the length of rows beside what it holds of their tokens.
std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor& qkv, const at::Tensor& cuSeqlens,
                                             int64_t longest, int64_t heads, int64_t kvHeads, double scale,
                                             int64_t window, double softCap, double dropout, int64_t key);
at::Tensor attentionBackward(const at::Tensor& dOut, const at::Tensor& qkv, const at::Tensor& out,
                             const at::Tensor& lse, const at::Tensor& cuSeqlens, int64_t longest,
                             int64_t heads, int64_t kvHeads, double scale, int64_t window, double softCap,
                             double dropout, int64_t key);
std::tuple<at::Tensor, at::Tensor> attentionCached(const at::Tensor& q, const at::Tensor& k,
                                                   const at::Tensor& v, double scale, int64_t window,
                                                   double softCap);

}  // namespace adaptive::cpu
