#include "core/ops/cpu/attention.h"

#include <ATen/Parallel.h>

#include "core/mixed.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/dropout_rate.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

constexpr int64_t kBlock = 128;  // queries per task: 128 × 4096 float scores are 2 MiB, about one L2 cache

/// The keys that some query of a block can see, and where the first query's view ends within them.
struct KeyRange {
  int64_t first, count, firstLast;
};

/// Queries [begin, begin + queries) of a row whose first query sits `offset` keys in.
KeyRange keysOf(int64_t begin, int64_t queries, int64_t offset, int64_t window) {
  const int64_t firstEnd = offset + begin + 1, end = offset + begin + queries;
  const int64_t first = window > 0 ? std::max<int64_t>(0, firstEnd - window) : 0;
  return {first, end - first, firstEnd - first};
}

/// Rows [first, first + count) of one head of x [tokens, heads, headDim], as float32.
Tensor headRows(const Tensor& x, int64_t head, int64_t first, int64_t count) {
  return x.narrow(0, first, count).select(1, head).to(at::kFloat);
}

/// q, k and v as [tokens, heads, headDim] views of a fused projection.
struct Heads {
  Tensor q, k, v;
};

Heads splitHeads(const Tensor& qkv, int64_t heads, int64_t kvHeads) {
  const int64_t headDim = qkv.size(1) / (heads + 2 * kvHeads);
  const Tensor all = qkv.view({qkv.size(0), heads + 2 * kvHeads, headDim});
  return {all.narrow(1, 0, heads), all.narrow(1, heads, kvHeads), all.narrow(1, heads + kvHeads, kvHeads)};
}

struct Dropout {
  explicit Dropout(double rate = 0, int64_t key = 0)
      : isOn(rate > 0), rate(rate), key(static_cast<uint64_t>(key)) {}
  bool isOn;
  DropoutRate rate;
  uint64_t key;
};

struct Scoring {
  Scoring(double scale, int64_t window, double softCap, Dropout dropout = Dropout())
      : scale(static_cast<float>(scale)),
        window(window),
        softCap(static_cast<float>(softCap)),
        dropout(dropout) {}
  float scale;
  int64_t window;
  float softCap;
  Dropout dropout;
};

/// x [queries, keys]: the weights of one head, or their gradients, from query `firstQuery` of the batch and
/// key `firstKey` of their row on.
void drop(const Tensor& x, const Dropout& dropout, int64_t head, int64_t firstQuery, int64_t firstKey) {
  const int64_t keys = x.size(1);
  for (int64_t i = 0; i < x.size(0); i++) {
    const uint64_t key =
        mixed({dropout.key, static_cast<uint64_t>(head), static_cast<uint64_t>(firstQuery + i)});
    randomKernels().dropout(x.data_ptr<float>() + i * keys, keys, key, firstKey, dropout.rate.threshold,
                            dropout.rate.scale);
  }
}

struct Block {
  int64_t rowStart, head, begin, queries;
};

void attendBlock(const Heads& x, const Block& block, int64_t offset, const Scoring& scoring, Tensor out,
                 float* lse) {
  const int64_t kvHead = block.head / (x.q.size(1) / x.k.size(1));
  const KeyRange keys = keysOf(block.begin, block.queries, offset, scoring.window);
  const int64_t keyStart = block.rowStart + keys.first;
  const Tensor q = headRows(x.q, block.head, block.rowStart + block.begin, block.queries);
  Tensor scores = at::mm(q, headRows(x.k, kvHead, keyStart, keys.count).t());
  attentionKernels().softmaxForward(scores.data_ptr<float>(), lse, block.queries, keys.count, keys.firstLast,
                                    scoring.window, scoring.scale, scoring.softCap);
  if (scoring.dropout.isOn)
    drop(scores, scoring.dropout, block.head, block.rowStart + block.begin, keys.first);
  Tensor target = out.narrow(0, block.rowStart + block.begin, block.queries).select(1, block.head);
  const Tensor values = headRows(x.v, kvHead, keyStart, keys.count);
  if (target.scalar_type() == at::kFloat) {
    at::mm_out(target, scores, values);
  } else {
    target.copy_(at::mm(scores, values));
  }
}

/// Every block of every head of every row. `offset` keys come before a row's first query (a cache; 0 in
/// training).
void attendAll(const Heads& x, const std::vector<int64_t>& cuSeqlens, int64_t offset, const Scoring& scoring,
               const Tensor& out, const Tensor& lse) {
  std::vector<Block> blocks;
  for (size_t r = 0; r + 1 < cuSeqlens.size(); r++) {
    const int64_t length = cuSeqlens[r + 1] - cuSeqlens[r];
    for (int64_t head = 0; head < x.q.size(1); head++) {
      for (int64_t begin = 0; begin < length; begin += kBlock) {
        blocks.push_back({cuSeqlens[r], head, begin, std::min(kBlock, length - begin)});
      }
    }
  }
  at::parallel_for(0, static_cast<int64_t>(blocks.size()), 1, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView noAutograd;  // guards are per thread
    for (int64_t i = begin; i < end; i++) {
      const Block& block = blocks[i];
      attendBlock(x, block, offset, scoring, out,
                  lse.data_ptr<float>() + block.head * lse.size(1) + block.rowStart + block.begin);
    }
  });
}

/// The gradients of one row and one key/value head: dK and dV gather from every query head of the group.
void attendBackward(const Heads& x, const Heads& d, const Tensor& out, const Tensor& dOut, const Tensor& lse,
                    int64_t rowStart, int64_t length, int64_t kvHead, const Scoring& scoring) {
  const int64_t group = x.q.size(1) / x.k.size(1);
  const Tensor k = headRows(x.k, kvHead, rowStart, length), v = headRows(x.v, kvHead, rowStart, length);
  Tensor dK = at::zeros_like(k, at::MemoryFormat::Contiguous),
         dV = at::zeros_like(v, at::MemoryFormat::Contiguous);
  for (int64_t head = kvHead * group; head < (kvHead + 1) * group; head++) {
    for (int64_t begin = 0; begin < length; begin += kBlock) {
      const int64_t queries = std::min(kBlock, length - begin), first = rowStart + begin;
      const KeyRange keys = keysOf(begin, queries, 0, scoring.window);
      const Tensor q = headRows(x.q, head, first, queries), g = headRows(dOut, head, first, queries);
      const Tensor kBlocks = k.narrow(0, keys.first, keys.count);
      const Tensor delta = (g * headRows(out, head, first, queries)).sum(1);
      Tensor p = at::mm(q, kBlocks.t());
      const float* sums = lse.const_data_ptr<float>() + head * lse.size(1) + first;
      attentionKernels().softmaxFromLse(p.data_ptr<float>(), sums, queries, keys.count, keys.firstLast,
                                        scoring.window, scoring.scale, scoring.softCap);
      Tensor dS = at::mm(g, v.narrow(0, keys.first, keys.count).t());
      Tensor kept = p;
      if (scoring.dropout.isOn) {
        kept = p.clone();
        drop(kept, scoring.dropout, head, first, keys.first);
        drop(dS, scoring.dropout, head, first, keys.first);
      }
      dV.narrow(0, keys.first, keys.count).addmm_(kept.t(), g);
      attentionKernels().softmaxBackward(p.const_data_ptr<float>(), dS.data_ptr<float>(),
                                         delta.const_data_ptr<float>(), sums, queries, keys.count,
                                         scoring.scale, scoring.softCap);
      d.q.narrow(0, first, queries).select(1, head).copy_(at::mm(dS, kBlocks));
      dK.narrow(0, keys.first, keys.count).addmm_(dS.t(), q);
    }
  }
  d.k.narrow(0, rowStart, length).select(1, kvHead).copy_(dK);
  d.v.narrow(0, rowStart, length).select(1, kvHead).copy_(dV);
}

}  // namespace

std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t heads,
                                     int64_t kvHeads, double scale, int64_t window, double softCap,
                                     double dropout, int64_t key) {
  const Heads x = splitHeads(qkv, heads, kvHeads);
  const int64_t tokens = qkv.size(0), headDim = x.q.size(2);
  Tensor out = at::empty({tokens, heads * headDim}, qkv.options());
  Tensor lse = at::empty({heads, tokens}, qkv.options().dtype(at::kFloat));
  const int64_t* cu = cuSeqlens.const_data_ptr<int64_t>();
  attendAll(x, {cu, cu + cuSeqlens.numel()}, 0, {scale, window, softCap, Dropout(dropout, key)},
            out.view({tokens, heads, headDim}), lse);
  return {out, lse};
}

Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t heads, int64_t kvHeads, double scale,
                         int64_t window, double softCap, double dropout, int64_t key) {
  Tensor dQkv = at::empty_like(qkv);
  const Heads x = splitHeads(qkv, heads, kvHeads), d = splitHeads(dQkv, heads, kvHeads);
  const std::vector<int64_t> shape = {qkv.size(0), heads, x.q.size(2)};
  const Tensor o = out.view(shape), g = dOut.contiguous().view(shape);
  const int64_t* cu = cuSeqlens.const_data_ptr<int64_t>();
  const int64_t rows = cuSeqlens.numel() - 1;
  const Scoring scoring(scale, window, softCap, Dropout(dropout, key));
  at::parallel_for(0, rows * kvHeads, 1, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView noAutograd;
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = i / kvHeads;
      attendBackward(x, d, o, g, lse, cu[row], cu[row + 1] - cu[row], i % kvHeads, scoring);
    }
  });
  return dQkv;
}

std::tuple<Tensor, Tensor> attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                           int64_t window, double softCap) {
  const int64_t queries = q.size(0), heads = q.size(1), offset = k.size(0) - queries;
  Tensor out = at::empty({queries, heads * q.size(2)}, q.options());
  Tensor lse = at::empty({heads, queries}, q.options().dtype(at::kFloat));
  attendAll({q, k, v}, {0, queries}, offset, {scale, window, softCap}, out.view({queries, heads, q.size(2)}),
            lse);
  return {out, lse};
}

}  // namespace adaptive::cpu
