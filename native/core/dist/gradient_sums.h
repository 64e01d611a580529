// The gradients of a window, summed over ranks while backward still goes on.
#pragma once
#include <memory>
#include <vector>

#include "core/dist/rank_group.h"
#include "core/model/decoder.h"

namespace adaptive {

/// Gradients of layers near the output are whole first: they are summed while those below are still worked
/// out. Large gradients are summed where they stand, small ones together.
class GradientSums {
 public:
  /// Both must outlive it.
  GradientSums(RankGroup& group, const Decoder& decoder) : group_(group), decoder_(decoder) {}

  /// To be called before the last backward pass of a window.
  void begin();
  /// The gradients of all layers from `layer` on are whole; decoder.config().layers() names the final norm
  /// and the head.
  void reached(int64_t layer);
  /// Sums what is left and waits for all of it. A weight without a gradient counts as zeros. Errors:
  /// RANKS_FAILED.
  void finish();
  /// Whether the gradients that are there are sums already.
  bool done() const { return done_; }
  /// The gradients are forgotten.
  void reset();

 private:
  struct Bucket {
    std::vector<Parameter*> parameters;
    int64_t layer = 0;  ///< whole once this one is
    at::Tensor joined = {};
    std::unique_ptr<RankGroup::Work> work = {};
  };
  void start(Bucket& bucket);

  RankGroup& group_;
  const Decoder& decoder_;
  std::vector<Bucket> buckets_;
  size_t started_ = 0;
  bool active_ = false, done_ = false;
};

}  // namespace adaptive
