// A RankGroup over Gloo (TCP), whose ranks find each other through c10d's TCPStore, as PyTorch's do.
#pragma once
#include <chrono>

#include "core/dist/rank_group.h"

namespace adaptive {

struct GlooOptions {
  std::string host;          ///< where the store is
  int64_t port = 0;          ///< of the store
  bool servesStore = false;  ///< whether this rank holds the store
  std::string prefix;        ///< of all keys in the store
  int64_t attempt = 0;       ///< how often all ranks were started anew; each time has a table of its own
  std::string address;  ///< this rank's own address, as the others reach it; empty: that of its host name
  int64_t rank = 0, size = 1;
  std::chrono::milliseconds meetTimeout{};  ///< until all ranks have come
  std::chrono::milliseconds workTimeout{};  ///< of each work of the group
};

/// Waits for all ranks. Errors: RANKS_FAILED naming those that did not come; INVALID_INPUT.
std::shared_ptr<RankGroup> joinGlooGroup(const GlooOptions& options);

}  // namespace adaptive
