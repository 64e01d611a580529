// How CUDA's attention calls libtorch's kernels. Those run on a GPU alone: stand-ins made of the CPU's
// operators take their arguments and give results in their layouts, as libtorch documents and checks them.
#ifdef ADAPTIVE_EMULATED_CUDA
#include <torch/library.h>

#include <limits>

#include "check.h"
#include "core/ops/ops.h"
#include "cuda/libtorch_attention.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

/// Arguments of a call by their place in the schema.
class Arguments {
 public:
  Arguments(const c10::OperatorHandle& op, torch::jit::Stack* stack)
      : values_(stack->end() - static_cast<int64_t>(op.schema().arguments().size()), stack->end()) {
    stack->resize(stack->size() - values_.size());
  }
  Tensor tensor(size_t i) const { return values_[i].isNone() ? Tensor() : values_[i].toTensor(); }
  int64_t integer(size_t i) const { return values_[i].isNone() ? -1 : values_[i].toInt(); }
  double number(size_t i) const { return values_[i].toDouble(); }
  bool truth(size_t i) const { return values_[i].toBool(); }

 private:
  std::vector<c10::IValue> values_;
};

Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v) {
  return at::cat({q, k, v}, 1).view({q.size(0), -1});
}

/// A key is seen from its own position to `left` positions later.
int64_t flashWindow(int64_t left, int64_t right) {
  check((left < 0) == (right < 0) && right <= 0, "a window that ends at the query");
  return left < 0 ? 0 : left + 1;
}

void flashForward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments args(op, stack);
  const Tensor q = args.tensor(0), k = args.tensor(1), v = args.tensor(2), cuSeqlens = args.tensor(3);
  check(args.number(7) == 0 && args.truth(8) && !args.truth(9), "causal, without dropout");
  const int64_t window = flashWindow(args.integer(11), args.integer(12));
  Tensor out, lse;
  if (cuSeqlens.defined()) {
    check(cuSeqlens.scalar_type() == at::kInt && q.dim() == 3, "rows one after the other");
    std::tie(out, lse) = ops::attention(fused(q, k, v), cuSeqlens, args.integer(5), q.size(1), k.size(1),
                                        args.number(10), window, 0);
  } else {
    check(args.integer(5) == q.size(1) && args.integer(6) == k.size(1), "lengths of queries and keys");
    std::tie(out, lse) = ops::attentionCached(q[0], k[0], v[0], args.number(10), window, 0);
    lse = lse.unsqueeze(0);
  }
  const Tensor none = at::empty({0});
  for (const Tensor& result : {out.view(q.sizes()), lse, none, none, none}) stack->emplace_back(result);
}

/// dQkv as libtorch gives it, in three tensors with a leading dimension or without.
void pushParts(torch::jit::Stack* stack, const Tensor& dQkv, const Tensor& q, const Tensor& k) {
  const int64_t heads = q.size(-2), kvHeads = k.size(-2);
  const Tensor all = dQkv.view({dQkv.size(0), heads + 2 * kvHeads, -1});
  for (const auto& [first, count] :
       {std::pair{int64_t{0}, heads}, {heads, kvHeads}, {heads + kvHeads, kvHeads}}) {
    const Tensor part = all.narrow(1, first, count).contiguous();
    stack->emplace_back(q.dim() == 4 ? part.unsqueeze(0) : part);
  }
}

void flashBackward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments args(op, stack);
  const Tensor q = args.tensor(1), k = args.tensor(2), v = args.tensor(3);
  check(args.number(10) == 0 && args.truth(11), "causal, without dropout");
  const auto flat = [&](const Tensor& x) { return x.reshape({x.size(0), -1}); };
  pushParts(stack,
            ops::attentionBackward(flat(args.tensor(0)), fused(q, k, v), flat(args.tensor(4)), args.tensor(5),
                                   args.tensor(6), args.integer(8), q.size(1), k.size(1), args.number(14),
                                   flashWindow(args.integer(15), args.integer(16)), 0),
            q, k);
}

/// f(row, its first token, its length).
template <class F>
void forRows(const Tensor& cuSeqlens, const F& f) {
  const int32_t* starts = cuSeqlens.const_data_ptr<int32_t>();
  for (int64_t row = 0; row + 1 < cuSeqlens.numel(); row++)
    f(row, int64_t{starts[row]}, int64_t{starts[row + 1]} - starts[row]);
}

Tensor padded(int64_t rows, int64_t heads, int64_t longest) {
  return at::full({rows, heads, (longest + 31) / 32 * 32}, std::numeric_limits<float>::infinity());
}

int64_t efficientWindow(int64_t window) { return window < 0 ? 0 : window; }

void efficientForward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments args(op, stack);
  const Tensor q = args.tensor(0)[0], k = args.tensor(1)[0], v = args.tensor(2)[0],
               cuSeqlens = args.tensor(4);
  check(q.size(1) == k.size(1) && args.tensor(0).size(0) == 1, "one batch, as many heads of each");
  check(args.number(8) == 0 && args.integer(9) == 2 && args.truth(10), "causal from the end, with lse");
  const int64_t window = efficientWindow(args.integer(13)), heads = q.size(1);
  Tensor out, lse, all;
  if (cuSeqlens.defined()) {
    const int64_t longest = args.integer(6);
    std::tie(out, lse) =
        ops::attention(fused(q, k, v), cuSeqlens, longest, heads, heads, args.number(11), window, 0);
    all = padded(cuSeqlens.numel() - 1, heads, longest);
    forRows(cuSeqlens, [&](int64_t row, int64_t first, int64_t length) {
      all[row].narrow(1, 0, length).copy_(lse.narrow(1, first, length));
    });
  } else {
    std::tie(out, lse) = ops::attentionCached(q, k, v, args.number(11), window, 0);
    all = padded(1, heads, q.size(0));
    all[0].narrow(1, 0, q.size(0)).copy_(lse);
  }
  for (const Tensor& result : {out.view(args.tensor(0).sizes()), all, at::zeros({}), at::zeros({})})
    stack->emplace_back(result);
  stack->emplace_back(q.size(0));
  stack->emplace_back(k.size(0));
}

void efficientBackward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments args(op, stack);
  const Tensor whole = args.tensor(1), q = whole[0], k = args.tensor(2)[0], v = args.tensor(3)[0];
  const Tensor cuSeqlens = args.tensor(6), all = args.tensor(10);
  const int64_t longest = args.integer(8), heads = q.size(1);
  check(all.stride(0) % 8 == 0 && all.stride(1) % 8 == 0, "lse whose rows are aligned");
  check(args.number(11) == 0 && args.integer(14) == 2 && !args.truth(15), "causal from the end");
  const Tensor lse = at::full({heads, q.size(0)}, std::numeric_limits<float>::quiet_NaN());
  forRows(cuSeqlens, [&](int64_t row, int64_t first, int64_t length) {
    lse.narrow(1, first, length).copy_(all[row].narrow(1, 0, length));
    check(all[row].narrow(1, length, all.size(2) - length).isinf().all().item<bool>(), "no query, no weight");
  });
  const auto flat = [&](const Tensor& x) { return x.reshape({q.size(0), -1}); };
  pushParts(
      stack,
      ops::attentionBackward(flat(args.tensor(0)), fused(q, k, v), flat(args.tensor(5)), lse, cuSeqlens,
                             longest, heads, heads, args.number(16), efficientWindow(args.integer(18)), 0),
      whole, args.tensor(2));
  stack->emplace_back(Tensor());
}

/// As long as it lives, libtorch has these on the CPU.
class StandIns {
 public:
  StandIns() : library_(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__) {
    using torch::CppFunction;
    library_.impl("_flash_attention_forward", CppFunction::makeFromBoxedFunction<&flashForward>());
    library_.impl("_flash_attention_backward", CppFunction::makeFromBoxedFunction<&flashBackward>());
    library_.impl("_efficient_attention_forward", CppFunction::makeFromBoxedFunction<&efficientForward>());
    library_.impl("_efficient_attention_backward", CppFunction::makeFromBoxedFunction<&efficientBackward>());
  }

 private:
  torch::Library library_;
};

}  // namespace

TEST("CUDA's attention by libtorch's kernels: arguments and results are theirs") {
  const StandIns standIns;
  const Tensor cuSeqlens = at::tensor({0, 1, 38, 38, 79}, at::kInt);
  const int64_t longest = 41, heads = 4, headDim = 8, tokens = 79;
  for (const int64_t kvHeads : {4, 2, 1}) {
    const Tensor qkv = normal({tokens, (heads + 2 * kvHeads) * headDim}, 1).to(at::kFloat);
    const Tensor dOut = normal({tokens, heads * headDim}, 2).to(at::kFloat);
    const Tensor cache = normal({2, 50, kvHeads, headDim}, 3).to(at::kFloat);
    const Tensor q = normal({7, heads, headDim}, 4).to(at::kFloat);
    for (const int64_t window : {0, 5}) {
      const cuda::AttentionHeads shape = {heads, kvHeads, 0.3, window};
      const auto [out, lse] = ops::attention(qkv, cuSeqlens, longest, heads, kvHeads, 0.3, window, 0);
      const Tensor d =
          ops::attentionBackward(dOut, qkv, out, lse, cuSeqlens, longest, heads, kvHeads, 0.3, window, 0);
      const auto [next, nextLse] = ops::attentionCached(q, cache[0], cache[1], 0.3, window, 0);
      const auto agree = [&](const std::string& what, const auto& forward, const auto& backward,
                             const auto& cached) {
        const auto [own, ownLse] = forward(qkv, cuSeqlens, longest, shape);
        checkClose(own, out, 1e-6, what);
        checkClose(ownLse, lse, 1e-6, what + ", lse");
        checkClose(backward(dOut, qkv, own, ownLse, cuSeqlens, longest, shape), d, 2e-6, what + ", backward");
        const auto [ofCache, ofCacheLse] = cached(q, cache[0], cache[1], 0.3, window);
        checkClose(ofCache, next, 1e-6, what + " of a cache");
        checkClose(ofCacheLse, nextLse, 1e-6, what + " of a cache, lse");
      };
      agree("flash", cuda::flashAttention, cuda::flashAttentionBackward, cuda::flashAttentionCached);
      agree("efficient", cuda::efficientAttention, cuda::efficientAttentionBackward,
            cuda::efficientAttentionCached);
    }
  }
}
#endif
