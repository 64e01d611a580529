#include "core/ops/cpu/attention_plan.h"

#include <algorithm>

namespace adaptive::cpu {
namespace {

/// Queries and keys of a tile: products of 128 × 128 are at 90 to 95 % of the speed of large ones, of 64 × 64
/// at 75 %. Long rows have enough tiles of twice that.
constexpr int64_t kTile = 128, kLongRow = 8192;
/// Tiles that can run side by side are plenty from here on.
constexpr int64_t kPlenty = 32;

int64_t tileOf(int64_t length) { return length > kLongRow ? 2 * kTile : kTile; }

int64_t blocksOf(int64_t length, int64_t tile) { return (length + tile - 1) / tile; }

/// The first key that query `query` sees.
int64_t firstSeen(int64_t query, int64_t window) {
  return window > 0 ? std::max<int64_t>(0, query + 1 - window) : 0;
}

/// A pair of blocks, and the wave that it belongs to: no two pairs of a wave share queries or keys.
struct Pair {
  int64_t wave, queryBlock, keyBlock;
};

/// All pairs of which some query sees some key. Along anti-diagonals, wrapped around, waves of a triangle are
/// equally large; a narrow band of it has long diagonals instead.
std::vector<Pair> pairsOf(int64_t length, int64_t tile, int64_t window) {
  const int64_t blocks = blocksOf(length, tile);
  const bool isNarrow = window > 0 && 2 * blocksOf(window, tile) < blocks;
  std::vector<Pair> pairs;
  for (int64_t query = 0; query < blocks; query++) {
    for (int64_t key = firstSeen(query * tile, window) / tile; key <= query; key++)
      pairs.push_back({isNarrow ? query - key : (query + key) % blocks, query, key});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.wave < b.wave; });
  return pairs;
}

}  // namespace

std::vector<AttentionTile> forwardTiles(const std::vector<int64_t>& cuSeqlens, int64_t heads, int64_t offset,
                                        int64_t window) {
  std::vector<AttentionTile> tiles;
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    const int64_t length = cuSeqlens[row + 1] - cuSeqlens[row];
    for (int64_t head = 0; head < heads; head++) {
      for (int64_t begin = 0; begin < length; begin += kTile) {
        const int64_t queries = std::min(kTile, length - begin), first = firstSeen(offset + begin, window);
        tiles.push_back({cuSeqlens[row], head, begin, queries, first, offset + begin + queries - first});
      }
    }
  }
  std::stable_sort(tiles.begin(), tiles.end(), [](const AttentionTile& a, const AttentionTile& b) {
    return a.queries * a.keys > b.queries * b.keys;
  });
  return tiles;
}

BackwardPlan backwardPlan(const std::vector<int64_t>& cuSeqlens, int64_t heads, int64_t kvHeads,
                          int64_t window) {
  struct Placed {
    AttentionTile tile;
    int64_t wave, querySum, keySum;
  };
  const int64_t group = heads / kvHeads;
  int64_t sideBySide = 0, sums = 0;
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    const int64_t length = cuSeqlens[row + 1] - cuSeqlens[row];
    sideBySide += kvHeads * ((blocksOf(length, tileOf(length)) + 1) / 2);
  }
  const bool isApart = group > 1 && sideBySide < kPlenty;
  const int64_t gathering = isApart ? heads : kvHeads;
  std::vector<Placed> all;
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    const int64_t length = cuSeqlens[row + 1] - cuSeqlens[row], tile = tileOf(length);
    const int64_t blocks = blocksOf(length, tile), keySums = sums + blocks * heads;
    const std::vector<Pair> pairs = pairsOf(length, tile, window);
    for (int64_t head = 0; head < heads; head++) {
      const int64_t gatherer = isApart ? head : head / group;
      for (const auto& [wave, query, key] : pairs) {
        const int64_t firstQuery = query * tile, firstKey = key * tile;
        all.push_back({{cuSeqlens[row], head, firstQuery, std::min(tile, length - firstQuery), firstKey,
                        std::min(tile, length - firstKey)},
                       // Heads that gather together keep out of each other's way.
                       isApart ? wave : wave + head % group * blocks,
                       sums + head * blocks + query,
                       keySums + gatherer * blocks + key});
      }
    }
    sums = keySums + gathering * blocks;
  }
  std::stable_sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) { return a.wave < b.wave; });
  BackwardPlan plan{{}, SharedSums(sums), isApart};
  std::vector<char> isStarted(sums, 0);
  for (Placed& one : all) {
    one.tile.startsQueries = !std::exchange(isStarted[one.querySum], 1);
    one.tile.startsKeys = !std::exchange(isStarted[one.keySum], 1);
    plan.sums.add(one.querySum, one.keySum);
    plan.tiles.push_back(one.tile);
  }
  return plan;
}

}  // namespace adaptive::cpu
