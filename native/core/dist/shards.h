// Which rank moves which weights (ZeRO; Rajbhandari et al. 2020): it alone holds their optimizer state.
#pragma once
#include <unordered_map>
#include <vector>

#include "core/dist/rank_group.h"
#include "core/model/decoder.h"

namespace adaptive {

/// Whole Parameters are shared out: the scales of blocks, the factors of Adafactor and norms are then those
/// of one process. The largest come first, each to the rank with the fewest values; the same at every rank.
class Shards {
 public:
  Shards(const Decoder& decoder, int64_t ranks);

  /// Of a Parameter that is trained.
  int64_t ownerOf(const Parameter* parameter) const { return owners_.at(parameter); }

  /// Values of which a rank holds something.
  struct Size {
    int64_t trained = 0;    ///< those it moves
    int64_t apart = 0;      ///< of these, those whose master can be its alone: Decoder::mastersApart()
    int64_t gradients = 0;  ///< at most at a time, where gradients are shared out, too
  };
  Size sizeOf(const Decoder& decoder, int64_t rank) const;

 private:
  std::unordered_map<const Parameter*, int64_t> owners_;
};

/// How training is shared out: stage 1 the optimizer's state and masters, stage 2 gradients as well.
struct ZeroStage {
  Shards shards;
  bool sharesGradients;
};

/// Replaces each contiguous tensor by that of the rank beside it; the same list at all ranks.
void copyFromOwners(RankGroup& group, const std::vector<std::pair<at::Tensor, int64_t>>& tensors);

}  // namespace adaptive
