#include "core/ops/cpu/attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "core/mixed.h"
#include "core/ops/cpu/attention_plan.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/dropout_rate.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

constexpr int64_t kKeysAtATime =
    512;  // 128 queries × 512 float scores are 256 KiB, which a level 2 cache holds

/// q, k and v as [tokens, heads, headDim] views of a fused projection.
struct Heads {
  Tensor q, k, v;
};

Heads splitHeads(const Tensor& qkv, int64_t heads, int64_t kvHeads) {
  const int64_t headDim = qkv.size(1) / (heads + 2 * kvHeads);
  const Tensor all = qkv.view({qkv.size(0), heads + 2 * kvHeads, headDim});
  return {all.narrow(1, 0, heads), all.narrow(1, heads, kvHeads), all.narrow(1, heads + kvHeads, kvHeads)};
}

/// Rows [first, first + count) of one head of x [tokens, heads, headDim]. One view and not two: there are
/// many.
Tensor headRows(const Tensor& x, int64_t head, int64_t first, int64_t count) {
  return x.as_strided({count, x.size(2)}, {x.stride(0), 1},
                      x.storage_offset() + first * x.stride(0) + head * x.stride(1));
}

/// x [tokens, heads, headDim] as [heads, headDim, tokens]: products with the transposes of keys and values
/// read rows. Rows lie an odd number of cache lines apart, so that those of a tile do not share the same few
/// places of a cache.
Tensor columnsFirst(const Tensor& x) {
  constexpr int64_t line = 16;
  const int64_t apart = ((x.size(0) + line - 1) / line | 1) * line;
  const Tensor out = at::empty({x.size(1), x.size(2), apart}, x.options()).narrow(2, 0, x.size(0));
  return out.copy_(x.permute({1, 2, 0}));
}

/// Columns [first, first + count) of one head of what columnsFirst() gives.
Tensor headColumns(const Tensor& columns, int64_t head, int64_t first, int64_t count) {
  return columns.as_strided({columns.size(1), count}, {columns.stride(1), 1},
                            head * columns.stride(0) + first);
}

/// out = a·b, or with `adds` out += a·b; rows of b and out have their entries together. Libtorch's at::mm
/// packs both sides first, which costs as much as the product of a tile.
void multiply(const Tensor& a, const Tensor& b, const Tensor& out, bool adds) {
  attentionKernels().multiplyTile({a.const_data_ptr<float>(), b.const_data_ptr<float>(),
                                   out.data_ptr<float>(), a.stride(0), a.stride(1), b.stride(0),
                                   out.stride(0), out.size(0), a.size(1), out.size(1), adds});
}

Tensor product(const Tensor& a, const Tensor& b) {
  const Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply(a, b, out, /*adds=*/false);
  return out;
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

/// The softmax over keys that come some at a time, before it is divided by its sum (Milakov & Gimelshein
/// 2018).
class RunningSoftmax {
 public:
  explicit RunningSoftmax(int64_t queries)
      : max_(queries, -std::numeric_limits<float>::infinity()), sum_(queries, 0), factors_(queries) {}
  /// Turns scores into weights relative to the largest score so far. → what earlier weights are worth of
  /// themselves now.
  Tensor next(const Tensor& scores, int64_t firstLast, const Scoring& scoring) {
    const auto queries = static_cast<int64_t>(max_.size());
    attentionKernels().softmaxPart(scores.data_ptr<float>(), max_.data(), sum_.data(), factors_.data(),
                                   queries, scores.size(1), firstLast, scoring.window, scoring.scale,
                                   scoring.softCap);
    return at::from_blob(factors_.data(), {queries, 1}, at::kFloat);
  }
  /// Writes the logs of the sums; → what the weights are to be multiplied with at last.
  Tensor finish(float* lse) {
    for (size_t i = 0; i < max_.size(); i++) {
      lse[i] = static_cast<float>(max_[i] + std::log(sum_[i]));
      factors_[i] = static_cast<float>(1.0 / sum_[i]);
    }
    return at::from_blob(factors_.data(), {static_cast<int64_t>(max_.size()), 1}, at::kFloat);
  }

 private:
  std::vector<float> max_;
  std::vector<double> sum_;
  std::vector<float> factors_;
};

/// `offset` keys come before the row's first query.
void attendTile(const Heads& x, const Tensor& keyColumns, const AttentionTile& tile, int64_t offset,
                const Scoring& scoring, const Tensor& out, float* lse) {
  const int64_t kvHead = tile.head / (x.q.size(1) / x.k.size(1)), queries = tile.queries;
  const int64_t firstToken = tile.rowStart + tile.firstQuery;
  const Tensor q = headRows(x.q, tile.head, firstToken, queries);
  RunningSoftmax softmax(queries);
  Tensor gathered;
  for (int64_t done = 0; done < tile.keys; done += kKeysAtATime) {
    const int64_t first = tile.firstKey + done, keys = std::min(kKeysAtATime, tile.keys - done);
    const Tensor weights = product(q, headColumns(keyColumns, kvHead, tile.rowStart + first, keys));
    const Tensor worth = softmax.next(weights, offset + tile.firstQuery + 1 - first, scoring);
    if (scoring.dropout.isOn) drop(weights, scoring.dropout, tile.head, firstToken, first);
    const Tensor values = headRows(x.v, kvHead, tile.rowStart + first, keys);
    if (done == 0) {
      gathered = product(weights, values);
    } else {
      multiply(weights, values, gathered.mul_(worth), /*adds=*/true);
    }
  }
  Tensor target = headRows(out, tile.head, firstToken, queries);
  at::mul_out(target, gathered, softmax.finish(lse));
}

/// Every tile of every head of every row. `offset` keys come before a row's first query (a cache; 0 in
/// training).
void attendAll(const Heads& x, const std::vector<int64_t>& cuSeqlens, int64_t offset, const Scoring& scoring,
               const Tensor& out, const Tensor& lse) {
  const std::vector<AttentionTile> tiles = forwardTiles(cuSeqlens, x.q.size(1), offset, scoring.window);
  const Tensor keyColumns = columnsFirst(x.k);
  runTasks(static_cast<int64_t>(tiles.size()), [&](int64_t i) {
    const AttentionTile& tile = tiles[i];
    attendTile(x, keyColumns, tile, offset, scoring, out,
               lse.data_ptr<float>() + tile.head * lse.size(1) + tile.rowStart + tile.firstQuery);
  });
}

/// What a backward pass reads; delta [heads, tokens] is dOut·out of each query.
struct ForwardPass {
  Heads x;
  Tensor keyColumns, valueColumns;
  Tensor dOut, lse, delta;
};

/// All of it is float32; the k and v of d have the heads that gather apart.
void goBackThrough(const ForwardPass& pass, const AttentionTile& tile, const Scoring& scoring,
                   const Heads& d) {
  const int64_t heads = pass.x.q.size(1), head = tile.head, kvHead = head * pass.x.k.size(1) / heads;
  const int64_t gatherer = head * d.k.size(1) / heads;
  const int64_t firstToken = tile.rowStart + tile.firstQuery, firstKey = tile.rowStart + tile.firstKey;
  const int64_t firstLast = tile.firstQuery + 1 - tile.firstKey;
  const float *lse = pass.lse.const_data_ptr<float>() + head * pass.lse.size(1) + firstToken,
              *delta = pass.delta.const_data_ptr<float>() + head * pass.delta.size(1) + firstToken;
  const Tensor q = headRows(pass.x.q, head, firstToken, tile.queries),
               g = headRows(pass.dOut, head, firstToken, tile.queries),
               k = headRows(pass.x.k, kvHead, firstKey, tile.keys);
  const Tensor p = product(q, headColumns(pass.keyColumns, kvHead, firstKey, tile.keys)),
               dS = product(g, headColumns(pass.valueColumns, kvHead, firstKey, tile.keys));
  attentionKernels().softmaxFromLse(p.data_ptr<float>(), lse, tile.queries, tile.keys, firstLast,
                                    scoring.window, scoring.scale, scoring.softCap);
  Tensor kept = p;
  if (scoring.dropout.isOn) {
    kept = p.clone();
    drop(kept, scoring.dropout, head, firstToken, tile.firstKey);
    drop(dS, scoring.dropout, head, firstToken, tile.firstKey);
  }
  multiply(kept.t(), g, headRows(d.v, gatherer, firstKey, tile.keys), !tile.startsKeys);
  attentionKernels().softmaxBackward(p.const_data_ptr<float>(), dS.data_ptr<float>(), delta, lse,
                                     tile.queries, tile.keys, scoring.scale, scoring.softCap);
  multiply(dS, k, headRows(d.q, head, firstToken, tile.queries), !tile.startsQueries);
  multiply(dS.t(), q, headRows(d.k, gatherer, firstKey, tile.keys), !tile.startsKeys);
}

/// Calls f(first, count) for slices of tokens on all threads.
void forTokens(int64_t tokens, const std::function<void(int64_t, int64_t)>& f) {
  constexpr int64_t kSlice = 128;
  runTasks((tokens + kSlice - 1) / kSlice,
           [&](int64_t i) { f(i * kSlice, std::min(kSlice, tokens - i * kSlice)); });
}

/// dOut·out [heads, tokens] in float32; both [tokens, heads, headDim].
Tensor deltaOf(const Tensor& dOut, const Tensor& out) {
  Tensor delta = at::empty({out.size(1), out.size(0)}, dOut.options());
  forTokens(out.size(0), [&](int64_t first, int64_t count) {
    const Tensor product = dOut.narrow(0, first, count) * out.narrow(0, first, count);
    delta.narrow(1, first, count).copy_(product.sum(2).t());
  });
  return delta;
}

/// Copies sums [tokens, heads, headDim] to where they belong; those of a group that gathered apart are added
/// up.
void put(const Tensor& sums, const Tensor& target) {
  if (sums.is_alias_of(target)) return;
  const int64_t group = sums.size(1) / target.size(1);
  forTokens(target.size(0), [&](int64_t first, int64_t count) {
    const Tensor own = sums.narrow(0, first, count);
    target.narrow(0, first, count)
        .copy_(group == 1 ? own : own.view({count, target.size(1), group, target.size(2)}).sum(2));
  });
}

}  // namespace

std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t /*longest*/,
                                     int64_t heads, int64_t kvHeads, double scale, int64_t window,
                                     double softCap, double dropout, int64_t key) {
  const Heads x = splitHeads(qkv.to(at::kFloat), heads, kvHeads);
  const int64_t tokens = qkv.size(0), headDim = x.q.size(2);
  Tensor out = at::empty({tokens, heads * headDim}, qkv.options());
  Tensor lse = at::empty({heads, tokens}, qkv.options().dtype(at::kFloat));
  const int32_t* cu = cuSeqlens.const_data_ptr<int32_t>();
  attendAll(x, {cu, cu + cuSeqlens.numel()}, 0, {scale, window, softCap, Dropout(dropout, key)},
            out.view({tokens, heads, headDim}), lse);
  return {out, lse};
}

Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t /*longest*/, int64_t heads, int64_t kvHeads,
                         double scale, int64_t window, double softCap, double dropout, int64_t key) {
  const int64_t tokens = qkv.size(0), headDim = qkv.size(1) / (heads + 2 * kvHeads);
  const int32_t* cu = cuSeqlens.const_data_ptr<int32_t>();
  const BackwardPlan plan = backwardPlan({cu, cu + cuSeqlens.numel()}, heads, kvHeads, window);
  const Tensor g = dOut.to(at::kFloat).contiguous().view({tokens, heads, headDim});
  const Heads x = splitHeads(qkv.to(at::kFloat), heads, kvHeads);
  const ForwardPass pass = {x, columnsFirst(x.k), columnsFirst(x.v), g, lse, deltaOf(g, out.view(g.sizes()))};
  Tensor dQkv = at::empty_like(qkv);
  const Heads d = splitHeads(dQkv, heads, kvHeads);
  // Sums gather where they belong, unless they need more bits or more room.
  const auto sumsFor = [&](const Tensor& target, int64_t gathering) {
    if (target.scalar_type() == at::kFloat && target.size(1) == gathering) return target;
    return at::empty({tokens, gathering, headDim}, target.options().dtype(at::kFloat));
  };
  const int64_t gathering = plan.isApart ? heads : kvHeads;
  const Heads sums = {sumsFor(d.q, heads), sumsFor(d.k, gathering), sumsFor(d.v, gathering)};
  const Scoring scoring(scale, window, softCap, Dropout(dropout, key));
  plan.sums.run([&](int64_t i) { goBackThrough(pass, plan.tiles[i], scoring, sums); });
  put(sums.q, d.q), put(sums.k, d.k), put(sums.v, d.v);
  return dQkv;
}

std::tuple<Tensor, Tensor> attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                           int64_t window, double softCap) {
  const int64_t queries = q.size(0), heads = q.size(1), offset = k.size(0) - queries;
  Tensor out = at::empty({queries, heads * q.size(2)}, q.options());
  Tensor lse = at::empty({heads, queries}, q.options().dtype(at::kFloat));
  const auto wide = [](const Tensor& x) { return x.to(at::kFloat); };
  attendAll({wide(q), wide(k), wide(v)}, {0, queries}, offset, {scale, window, softCap},
            out.view({queries, heads, q.size(2)}), lse);
  return {out, lse};
}

}  // namespace adaptive::cpu
