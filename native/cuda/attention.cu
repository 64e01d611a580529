// Causal attention of the rows of a flat batch with themselves, or with a cache, for every head size up to
// 256, with windows, soft caps and dropout. All sums are float32 and in a fixed order. A warp has two queries
// (or keys) to itself, and goes through the others in tiles of 32 that the block shares, a lane to each.
#include "cuda/kernels.h"
#include "cuda/random.h"

namespace adaptive::cuda {
namespace {

constexpr int kTile = 32, kWarps = 4, kThreads = 32 * kWarps, kPerWarp = 2, kPerBlock = kWarps * kPerWarp;
/// Lets a thread have up to 128 registers: left alone, ptxas takes fewer and spills.
constexpr int kBlocksPerProcessor = 4;

/// The finaliser of splitmix64 after each number, as core/mixed.h does it.
__device__ __forceinline__ uint64_t mixedInto(uint64_t x, uint64_t number) {
  x += number + 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

__device__ __forceinline__ float warpSum(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
  return value;
}
__device__ __forceinline__ float warpMax(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(~0u, value, lanes));
  return value;
}
/// sums += Σ factor[j]·tile[j] over the tile's rows, of which each lane has the factor of one; `shared` has
/// room for those of the warp.
template <int kDim>
__device__ __forceinline__ void addTile(float (&sums)[kDim / 32], const float* tile, float factor,
                                        float* shared, int headDim) {
  const int lane = threadIdx.x % 32;
  __syncwarp();  // those of the last call have been read
  shared[lane] = factor;
  __syncwarp();
  for (int j = 0; j < kTile; j++) {
    const float of = shared[j];
#pragma unroll
    for (int c = 0; c < kDim / 32; c++)
      if (c * 32 + lane < headDim) sums[c] += of * tile[j * (kDim + 1) + c * 32 + lane];
  }
}

/// A row of the batch: where its tokens are among the queries, and how many keys come before its first query.
struct RowOfBatch {
  int64_t start, queries, offset;
  __device__ RowOfBatch(const AttentionShape& shape, unsigned index) {
    start = shape.cuSeqlens != nullptr ? shape.cuSeqlens[index] : 0;
    queries = (shape.cuSeqlens != nullptr ? shape.cuSeqlens[index + 1] : shape.queries) - start;
    offset = shape.offset;
  }
  __device__ int64_t keys() const { return offset + queries; }
};

/// Of the keys of a row, those that query i sees: [first, end).
__device__ __forceinline__ int64_t firstSeen(const AttentionShape& shape, const RowOfBatch& row, int64_t i) {
  const int64_t first = row.offset + i + 1 - shape.window;
  return shape.window > 0 && first > 0 ? first : 0;
}

/// What a block computes: kPerBlock queries (or keys) of a head in a row, of which the thread's warp has
/// those from `first` on.
struct Own {
  RowOfBatch row;
  int64_t blockFirst, first, rowEnd;
  int head, lane, warp;
  __device__ explicit Own(const AttentionShape& shape) : row(shape, blockIdx.z) {
    blockFirst = int64_t{blockIdx.x} * kPerBlock;
    rowEnd = row.start + row.queries;
    head = static_cast<int>(blockIdx.y);
    lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    first = blockFirst + warp * kPerWarp;
  }
  /// The end of the block's queries in the row.
  __device__ int64_t blockEnd() const {
    return blockFirst + kPerBlock < row.queries ? blockFirst + kPerBlock : row.queries;
  }
};

/// tile[r] = entries [first + r] of one head, as float32; 0 beyond `count`. The block's threads meet before
/// and after.
template <int kDim, class T>
__device__ __forceinline__ void loadTile(float* tile, const Heads<const T>& from, int64_t head, int64_t first,
                                         int64_t count, int headDim) {
  __syncthreads();
  const T* base = from.data + first * from.tokenStride + head * from.headStride;
  for (int r = threadIdx.x / 32; r < kTile; r += kWarps) {
    for (int c = threadIdx.x % 32; c < headDim; c += 32)
      tile[r * (kDim + 1) + c] = r < count ? toFloat(base[r * from.tokenStride + c]) : 0.f;
  }
  __syncthreads();
}

/// The warp's own rows of one head, shared by its lanes.
template <int kDim, class T>
__device__ __forceinline__ void loadOwn(float* own, const Heads<const T>& from, int64_t head, int64_t first,
                                        int64_t end, int headDim) {
#pragma unroll
  for (int n = 0; n < kPerWarp; n++) {
    const int64_t i = first + n;
    const T* base = from.data + i * from.tokenStride + head * from.headStride;
    for (int c = threadIdx.x % 32; c < headDim; c += 32) own[n * kDim + c] = i < end ? toFloat(base[c]) : 0.f;
  }
  __syncwarp();
}

/// Writes a head of one token, whose entries the warp's lanes have, times `factor`.
template <int kDim, class T>
__device__ __forceinline__ void storeOwn(const Heads<T>& to, int64_t token, int64_t head,
                                         const float (&values)[kDim / 32], float factor, int headDim) {
  const int lane = threadIdx.x % 32;
  T* place = to.data + token * to.tokenStride + head * to.headStride;
#pragma unroll
  for (int c = 0; c < kDim / 32; c++)
    if (c * 32 + lane < headDim) place[c * 32 + lane] = fromFloat<T>(values[c] * factor);
}

template <int kDim>
__device__ __forceinline__ float dot(const float* tileRow, const float* own, int headDim) {
  float sum = 0.f;
  for (int c = 0; c < headDim; c++) sum += tileRow[c] * own[c];
  return sum;
}

/// A score and its slope by the raw product.
struct Score {
  float value, slope;
};
__device__ __forceinline__ Score scoreOf(const AttentionShape& shape, float product) {
  const float s = shape.scale * product;
  if (shape.softCap <= 0.f) return {s, shape.scale};
  const float t = tanhf(s * (1.f / shape.softCap));
  return {shape.softCap * t, shape.scale * (1.f - t * t)};
}

/// What a weight is multiplied with: 1, or with dropout 0 or 1/(1 − rate), by head, query of the batch and
/// key of its row.
__device__ __forceinline__ float keptShare(const AttentionShape& shape, int64_t head, int64_t query,
                                           int64_t key) {
  if (shape.dropped == 0) return 1.f;
  const uint64_t own = mixedInto(mixedInto(mixedInto(0, shape.key), head), query);
  return bitsAt(own, key) >= shape.dropped ? shape.keptScale : 0.f;
}

template <int kDim, class T>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    attentionKernel(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, float* lse,
                    AttentionShape shape) {
  SHARED(float, tile, kTile*(kDim + 1));
  SHARED(float, factors, kWarps* kTile);
  SHARED(float, queries, kPerBlock* kDim);
  const Own at(shape);
  const auto& [row, blockFirst, first, rowEnd, head, lane, warp] = at;
  if (blockFirst >= row.queries) return;  // the whole block
  const int kvHead = head / (shape.heads / shape.kvHeads);
  float* own = queries + warp * kPerWarp * kDim;
  loadOwn<kDim>(own, q, head, row.start + first, rowEnd, shape.headDim);
  float max[kPerWarp], sum[kPerWarp], sums[kPerWarp][kDim / 32] = {};
#pragma unroll
  for (int n = 0; n < kPerWarp; n++) max[n] = -INFINITY, sum[n] = 0.f;

  const int64_t end = row.offset + at.blockEnd();
  for (int64_t key = firstSeen(shape, row, blockFirst) / kTile * kTile; key < end; key += kTile) {
    const int64_t count = row.keys() - key;
    loadTile<kDim>(tile, k, kvHead, row.start + key, count, shape.headDim);
    float weights[kPerWarp];
#pragma unroll
    for (int n = 0; n < kPerWarp; n++) {
      const int64_t i = first + n, own_ = key + lane;
      const bool seen = own_ >= firstSeen(shape, row, i) && own_ <= row.offset + i && own_ < row.keys();
      const float product = dot<kDim>(tile + lane * (kDim + 1), own + n * kDim, shape.headDim);
      const float score = seen ? scoreOf(shape, product).value : -INFINITY;
      const float newMax = fmaxf(max[n], warpMax(score));
      // Before anything was seen there is nothing to scale, and −∞ − −∞ is no number.
      const float shrink = newMax == -INFINITY ? 1.f : expf(max[n] - newMax);
      const float weight = seen ? expf(score - newMax) : 0.f;
      sum[n] = sum[n] * shrink + warpSum(weight);
#pragma unroll
      for (int c = 0; c < kDim / 32; c++) sums[n][c] *= shrink;
      max[n] = newMax;
      weights[n] = weight > 0.f ? weight * keptShare(shape, head, row.start + i, own_) : weight;
    }
    loadTile<kDim>(tile, v, kvHead, row.start + key, count, shape.headDim);
#pragma unroll
    for (int n = 0; n < kPerWarp; n++) {
      addTile<kDim>(sums[n], tile, weights[n], factors + warp * kTile, shape.headDim);
    }
  }
#pragma unroll
  for (int n = 0; n < kPerWarp; n++) {
    const int64_t i = first + n;
    if (i >= row.queries) continue;
    storeOwn<kDim>(out, row.start + i, head, sums[n], 1.f / sum[n], shape.headDim);
    if (lane == 0) lse[head * shape.queries + row.start + i] = max[n] + logf(sum[n]);
  }
}

/// delta[head, token] = Σ dOut·out, a warp to each.
template <class T>
__global__ void __launch_bounds__(kThreads)
    deltaKernel(Heads<const T> dOut, Heads<const T> out, float* delta, AttentionShape shape) {
  const int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (index >= shape.queries * shape.heads) return;
  const int64_t head = index / shape.queries, token = index % shape.queries;
  const T* a = dOut.data + token * dOut.tokenStride + head * dOut.headStride;
  const T* b = out.data + token * out.tokenStride + head * out.headStride;
  float sum = 0.f;
  for (int c = threadIdx.x % 32; c < shape.headDim; c += 32) sum += toFloat(a[c]) * toFloat(b[c]);
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) delta[index] = sum;
}

/// From a raw product, the gradient of its dropped weight and what is known of its query: the weight as it
/// was counted, and ∂/∂product.
struct WeightGradient {
  float counted, product;
};
__device__ __forceinline__ WeightGradient weightGradient(const AttentionShape& shape, float product,
                                                         float dWeight, float lse, float delta, float kept) {
  const Score score = scoreOf(shape, product);
  const float p = expf(score.value - lse);
  return {p * kept, p * (dWeight * kept - delta) * score.slope};
}

template <int kDim, class T>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    dQueriesKernel(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> dOut,
                   const float* lse, const float* delta, Heads<T> dQ, AttentionShape shape) {
  SHARED(float, tile, kTile*(kDim + 1));
  SHARED(float, factors, kWarps* kTile);
  SHARED(float, queries, kPerBlock* kDim);
  const Own at(shape);
  const auto& [row, blockFirst, first, rowEnd, head, lane, warp] = at;
  if (blockFirst >= row.queries) return;
  const int kvHead = head / (shape.heads / shape.kvHeads);
  float* own = queries + warp * kPerWarp * kDim;
  float gradient[kPerWarp][kDim / 32] = {};
  const int64_t end = at.blockEnd();
  for (int64_t key = firstSeen(shape, row, blockFirst) / kTile * kTile; key < end; key += kTile) {
    const int64_t count = row.queries - key;
    loadTile<kDim>(tile, v, kvHead, row.start + key, count, shape.headDim);
    loadOwn<kDim>(own, dOut, head, row.start + first, rowEnd, shape.headDim);
    float dWeights[kPerWarp];
#pragma unroll
    for (int n = 0; n < kPerWarp; n++)
      dWeights[n] = dot<kDim>(tile + lane * (kDim + 1), own + n * kDim, shape.headDim);
    loadTile<kDim>(tile, k, kvHead, row.start + key, count, shape.headDim);
    loadOwn<kDim>(own, q, head, row.start + first, rowEnd, shape.headDim);
#pragma unroll
    for (int n = 0; n < kPerWarp; n++) {
      const int64_t i = first + n, other = key + lane, place = head * shape.queries + row.start + i;
      const float product = dot<kDim>(tile + lane * (kDim + 1), own + n * kDim, shape.headDim);
      float d = 0.f;
      if (i < row.queries && other >= firstSeen(shape, row, i) && other <= i) {
        const float kept = keptShare(shape, head, row.start + i, other);
        d = weightGradient(shape, product, dWeights[n], lse[place], delta[place], kept).product;
      }
      addTile<kDim>(gradient[n], tile, d, factors + warp * kTile, shape.headDim);
    }
  }
#pragma unroll
  for (int n = 0; n < kPerWarp; n++) {
    if (first + n >= row.queries) continue;
    storeOwn<kDim>(dQ, row.start + first + n, head, gradient[n], 1.f, shape.headDim);
  }
}

/// The gradients of keys and values, which gather from every query head of their group.
template <int kDim, class T>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    dKeysKernel(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> dOut, const float* lse,
                const float* delta, Heads<T> dK, Heads<T> dV, AttentionShape shape) {
  SHARED(float, tile, kTile*(kDim + 1));
  SHARED(float, factors, kWarps* kTile);
  SHARED(float, keys, kPerBlock* kDim);
  const auto& [row, blockFirst, first, rowEnd, kvHead, lane, warp] = Own(shape);
  const int group = shape.heads / shape.kvHeads;
  if (blockFirst >= row.queries) return;
  float* own = keys + warp * kPerWarp * kDim;
  float ofKeys[kPerWarp][kDim / 32] = {}, ofValues[kPerWarp][kDim / 32] = {};
  float* mine = factors + warp * kTile;
  int64_t end = row.queries;  // of the queries that see the block's keys
  if (shape.window > 0 && blockFirst + kPerBlock - 1 + shape.window < end)
    end = blockFirst + kPerBlock - 1 + shape.window;
  for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
    for (int64_t query = blockFirst / kTile * kTile; query < end; query += kTile) {
      const int64_t count = row.queries - query, i = query + lane, at = head * shape.queries + row.start + i;
      float products[kPerWarp];
      loadTile<kDim>(tile, q, head, row.start + query, count, shape.headDim);
      loadOwn<kDim>(own, k, kvHead, row.start + first, rowEnd, shape.headDim);
#pragma unroll
      for (int n = 0; n < kPerWarp; n++)
        products[n] = dot<kDim>(tile + lane * (kDim + 1), own + n * kDim, shape.headDim);
      loadTile<kDim>(tile, dOut, head, row.start + query, count, shape.headDim);
      loadOwn<kDim>(own, v, kvHead, row.start + first, rowEnd, shape.headDim);
#pragma unroll
      for (int n = 0; n < kPerWarp; n++) {
        const int64_t key = first + n;
        WeightGradient g = {0.f, 0.f};
        const float dWeight = dot<kDim>(tile + lane * (kDim + 1), own + n * kDim, shape.headDim);
        if (i < row.queries && key <= i && key >= firstSeen(shape, row, i)) {
          const float kept = keptShare(shape, head, row.start + i, key);
          g = weightGradient(shape, products[n], dWeight, lse[at], delta[at], kept);
        }
        addTile<kDim>(ofValues[n], tile, g.counted, mine, shape.headDim);
        products[n] = g.product;
      }
      loadTile<kDim>(tile, q, head, row.start + query, count, shape.headDim);
#pragma unroll
      for (int n = 0; n < kPerWarp; n++) addTile<kDim>(ofKeys[n], tile, products[n], mine, shape.headDim);
    }
  }
#pragma unroll
  for (int n = 0; n < kPerWarp; n++) {
    if (first + n >= row.queries) continue;
    storeOwn<kDim>(dK, row.start + first + n, kvHead, ofKeys[n], 1.f, shape.headDim);
    storeOwn<kDim>(dV, row.start + first + n, kvHead, ofValues[n], 1.f, shape.headDim);
  }
}

dim3 gridOf(const AttentionShape& shape, int64_t heads) {
  return dim3(blocksOf(shape.longest, kPerBlock), static_cast<unsigned>(heads),
              static_cast<unsigned>(shape.cuSeqlens != nullptr ? shape.rows : 1));
}

/// f(the smallest size of heads, as a type's value, that holds headDim).
template <class F>
void forHeadDim(int headDim, const F& f) {
  if (headDim <= 64) {
    f(std::integral_constant<int, 64>());
  } else if (headDim <= 128) {
    f(std::integral_constant<int, 128>());
  } else {
    f(std::integral_constant<int, kLargestHeadDim>());
  }
}

}  // namespace

template <class T>
void attention(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, float* lse,
               const AttentionShape& shape, cudaStream_t stream) {
  if (shape.queries == 0) return;
  forHeadDim(shape.headDim, [&](auto size) {
    constexpr int kDim = decltype(size)::value;
    LAUNCH((attentionKernel<kDim, T>), gridOf(shape, shape.heads), dim3(kThreads), stream, q, k, v, out, lse,
           shape);
  });
}

template <class T>
void attentionBackward(Heads<const T> dOut, Heads<const T> q, Heads<const T> k, Heads<const T> v,
                       Heads<const T> out, const float* lse, float* delta, Heads<T> dQ, Heads<T> dK,
                       Heads<T> dV, const AttentionShape& shape, cudaStream_t stream) {
  if (shape.queries == 0) return;
  LAUNCH(deltaKernel<T>, dim3(blocksOf(shape.queries * shape.heads, kWarps)), dim3(kThreads), stream, dOut,
         out, delta, shape);
  forHeadDim(shape.headDim, [&](auto size) {
    constexpr int kDim = decltype(size)::value;
    LAUNCH((dQueriesKernel<kDim, T>), gridOf(shape, shape.heads), dim3(kThreads), stream, q, k, v, dOut, lse,
           delta, dQ, shape);
    LAUNCH((dKeysKernel<kDim, T>), gridOf(shape, shape.kvHeads), dim3(kThreads), stream, q, k, v, dOut, lse,
           delta, dK, dV, shape);
  });
}

#define FOR_TYPE(T)                                                                                   \
  template void attention(Heads<const T>, Heads<const T>, Heads<const T>, Heads<T>, float*,           \
                          const AttentionShape&, cudaStream_t);                                       \
  template void attentionBackward(Heads<const T>, Heads<const T>, Heads<const T>, Heads<const T>,     \
                                  Heads<const T>, const float*, float*, Heads<T>, Heads<T>, Heads<T>, \
                                  const AttentionShape&, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bfloat16)
FOR_TYPE(float16)

}  // namespace adaptive::cuda
