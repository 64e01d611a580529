// How attention is cut into tasks. Which tasks there are depends on the shape alone, never on the threads.
#pragma once
#include <cstdint>
#include <vector>

#include "core/ops/cpu/run_tasks.h"

namespace adaptive::cpu {

/// Queries [firstQuery, firstQuery + queries) of a row and a head, and the keys that they meet.
struct AttentionTile {
  int64_t rowStart, head;  ///< tokens of the batch before the row; of the query heads
  int64_t firstQuery, queries;
  int64_t firstKey, keys;
  /// In backward: whether it is the first to add to dQ of its queries; to dK and dV of its keys.
  bool startsQueries = true, startsKeys = true;
};

/// The tiles of a forward pass: blocks of queries with all the keys that some of them sees, most work first.
/// `offset` keys come before the first query of a row.
std::vector<AttentionTile> forwardTiles(const std::vector<int64_t>& cuSeqlens, int64_t heads, int64_t offset,
                                        int64_t window);

/// Those of a backward pass, square ones, and the order in which they add to the gradients that they share.
struct BackwardPlan {
  std::vector<AttentionTile> tiles;
  SharedSums sums;
  /// Each query head gathers a dK and dV of its own, to be summed over its group: where rows and key/value
  /// heads are few, tiles of different heads would wait for each other.
  bool isApart;
};
BackwardPlan backwardPlan(const std::vector<int64_t>& cuSeqlens, int64_t heads, int64_t kvHeads,
                          int64_t window);

}  // namespace adaptive::cpu
