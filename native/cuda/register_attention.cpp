// The operators of attention on CUDA.
#include "core/ops/dropout_rate.h"
#include "cuda/attention_path.h"
#include "cuda/kernels.h"
#include "cuda/libtorch_attention.h"
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"

// Names of operators hide those of the kernels, which are then called with cuda::.
namespace adaptive::cuda::operators {
namespace {

using at::Tensor;

/// Heads from `first` on of x [tokens, all heads·headDim], rows contiguous.
template <class T>
Heads<T> headsOf(const Tensor& x, int64_t first, int64_t headDim) {
  return {static_cast<T*>(x.data_ptr()) + first * headDim, x.size(1), headDim};
}

AttentionShape shapeOf(int64_t queries, int64_t heads, int64_t kvHeads, int64_t headDim, double scale,
                       int64_t window, double softCap) {
  TORCH_CHECK_NOT_IMPLEMENTED(headDim <= kLargestHeadDim, "expected attention heads of at most ",
                              kLargestHeadDim, " entries on CUDA, found ", headDim);
  AttentionShape shape = {};
  shape.rows = 1, shape.longest = shape.queries = queries;
  shape.heads = static_cast<int>(heads), shape.kvHeads = static_cast<int>(kvHeads);
  shape.headDim = static_cast<int>(headDim);
  shape.scale = static_cast<float>(scale), shape.softCap = static_cast<float>(softCap);
  shape.window = window, shape.keptScale = 1;
  return shape;
}

AttentionPath pathOf(const Tensor& x, int64_t headDim, double softCap, double dropout) {
#ifdef ADAPTIVE_EMULATED_CUDA
  (void)x, (void)headDim, (void)softCap, (void)dropout;
  return AttentionPath::Blocked;  // libtorch's run on a GPU alone
#else
  return attentionPath({headDim, x.scalar_type() == at::kFloat, softCap, dropout});
#endif
}

/// What attention within rows is given beside its tensors.
struct Scoring : AttentionHeads {
  double softCap, dropout;
  int64_t key;
};

/// Of no token, the kernels of this folder have nothing to do; libtorch's do not expect it.
AttentionPath pathOf(const Tensor& qkv, const Scoring& how) {
  if (qkv.size(0) == 0) return AttentionPath::Blocked;
  return pathOf(qkv, qkv.size(1) / (how.heads + 2 * how.kvHeads), how.softCap, how.dropout);
}

AttentionShape shapeOfRows(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest, const Scoring& how) {
  AttentionShape shape =
      shapeOf(qkv.size(0), how.heads, how.kvHeads, qkv.size(1) / (how.heads + 2 * how.kvHeads), how.scale,
              how.window, how.softCap);
  shape.cuSeqlens = read<int32_t>(cuSeqlens);
  shape.rows = cuSeqlens.numel() - 1, shape.longest = longest;
  if (how.dropout > 0) {
    const DropoutRate rate(how.dropout);
    shape.dropped = rate.threshold, shape.keptScale = rate.scale;
  }
  shape.key = static_cast<uint64_t>(how.key);
  return shape;
}

std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest,
                                     int64_t heads, int64_t kvHeads, double scale, int64_t window,
                                     double softCap, double dropout, int64_t key) {
  const OnDevice on(qkv);
  const Scoring how = {{heads, kvHeads, scale, window}, softCap, dropout, key};
  const AttentionPath path = pathOf(qkv, how);
  if (path != AttentionPath::Blocked) {
    const auto attend = path == AttentionPath::Flash ? flashAttention : efficientAttention;
    return attend(qkv, cuSeqlens, longest, how);
  }
  const AttentionShape shape = shapeOfRows(qkv, cuSeqlens, longest, how);
  const int64_t headDim = shape.headDim;
  Tensor out = at::empty({qkv.size(0), heads * headDim}, qkv.options());
  Tensor lse = at::empty({heads, qkv.size(0)}, qkv.options().dtype(at::kFloat));
  forType(qkv.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto part = [&](int64_t first) { return headsOf<const T>(qkv, first, headDim); };
    cuda::attention<T>(part(0), part(heads), part(heads + kvHeads), headsOf<T>(out, 0, headDim),
                       write<float>(lse), shape, on.stream);
  });
  return {out, lse};
}

Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t longest, int64_t heads, int64_t kvHeads,
                         double scale, int64_t window, double softCap, double dropout, int64_t key) {
  const OnDevice on(qkv);
  const Scoring how = {{heads, kvHeads, scale, window}, softCap, dropout, key};
  const AttentionPath path = pathOf(qkv, how);
  if (path != AttentionPath::Blocked) {
    const auto goBack = path == AttentionPath::Flash ? flashAttentionBackward : efficientAttentionBackward;
    return goBack(dOut, qkv, out, lse, cuSeqlens, longest, how);
  }
  const AttentionShape shape = shapeOfRows(qkv, cuSeqlens, longest, how);
  const int64_t headDim = shape.headDim;
  const Tensor grad = dOut.contiguous();
  Tensor dQkv = at::empty_like(qkv), delta = at::empty_like(lse);
  forType(qkv.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto part = [&](int64_t first) { return headsOf<const T>(qkv, first, headDim); };
    const auto target = [&](int64_t first) { return headsOf<T>(dQkv, first, headDim); };
    cuda::attentionBackward<T>(headsOf<const T>(grad, 0, headDim), part(0), part(heads),
                               part(heads + kvHeads), headsOf<const T>(out, 0, headDim), read<float>(lse),
                               write<float>(delta), target(0), target(heads), target(heads + kvHeads), shape,
                               on.stream);
  });
  return dQkv;
}

/// x [tokens, heads, headDim] with entries of a head side by side.
template <class T>
Heads<const T> headsOfCache(const Tensor& x) {
  return {read<T>(x), x.stride(0), x.stride(1)};
}

std::tuple<Tensor, Tensor> attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                           int64_t window, double softCap) {
  const OnDevice on(q);
  const int64_t queries = q.size(0), heads = q.size(1), headDim = q.size(2);
  const AttentionPath path = pathOf(q, headDim, softCap, /*dropout=*/0);
  if (path != AttentionPath::Blocked && queries > 0) {
    const auto attend = path == AttentionPath::Flash ? flashAttentionCached : efficientAttentionCached;
    return attend(q, k, v, scale, window);
  }
  AttentionShape shape = shapeOf(queries, heads, k.size(1), headDim, scale, window, softCap);
  shape.offset = k.size(0) - queries;
  Tensor out = at::empty({queries, heads * headDim}, q.options());
  Tensor lse = at::empty({heads, queries}, q.options().dtype(at::kFloat));
  forType(q.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::attention<T>(headsOfCache<T>(q), headsOfCache<T>(k), headsOfCache<T>(v),
                       headsOf<T>(out, 0, headDim), write<float>(lse), shape, on.stream);
  });
  return {out, lse};
}

}  // namespace
}  // namespace adaptive::cuda::operators

namespace adaptive::cuda {

void registerAttentionKernels(torch::Library& m) {
  m.impl("attention", &operators::attention);
  m.impl("attention_backward", &operators::attentionBackward);
  m.impl("attention_cached", &operators::attentionCached);
}

}  // namespace adaptive::cuda
