// The gradients of a window, summed over ranks while backward still goes on.
#pragma once
#include <memory>
#include <vector>

#include "core/dist/rank_group.h"
#include "core/dist/shards.h"
#include "core/model/decoder.h"

namespace adaptive {

/// Where gradients are shared out: bytes of them whose sum may be under way before the oldest is waited for.
constexpr int64_t kBytesUnderWay = int64_t{8} << 20;

/// Gradients of layers near the output are whole first: they are summed while those below are still worked
/// out. Large gradients are summed where they stand, small ones together.
class GradientSums {
 public:
  /// Both must outlive it.
  GradientSums(RankGroup& group, const Decoder& decoder) : group_(group), decoder_(decoder) {}

  /// To be called before a backward pass: the last of a window, or where gradients are shared out each, which
  /// adds to those that their owners have and leaves none at the others.
  void begin(bool endsWindow, bool sharesOut = false);
  /// The gradients of all layers from `layer` on are whole; decoder.config().layers() names the final norm
  /// and the head.
  void reached(int64_t layer);
  /// Sums what is left and waits for all of it. A weight without a gradient counts as zeros. Errors:
  /// RANKS_FAILED.
  void finish();
  /// Whether the gradients that are there are the sums of a window already.
  bool done() const { return done_; }
  /// The gradients are forgotten.
  void reset();
  /// Of gradients of other ranks' weights, the most bytes that there were at a time since begin().
  int64_t mostOfOthers() const { return mostOfOthers_; }

 private:
  struct Bucket {
    std::vector<Parameter*> parameters;
    int64_t layer = 0;  ///< whole once this one is
    int64_t owner = 0;  ///< of all its parameters: Shards
    int64_t bytes = 0;
    at::Tensor sum = {};
    std::unique_ptr<RankGroup::Work> work = {};
  };
  /// Whether what this rank gathers for it goes to another, which alone keeps the sum.
  bool isOthers(const Bucket& bucket) const { return sharesOut_ && bucket.owner != group_.rank(); }
  int64_t bytesOfOthers() const;
  void start(Bucket& bucket);
  /// Waits for a bucket, and puts its sums where they belong.
  void settle(Bucket& bucket);

  RankGroup& group_;
  const Decoder& decoder_;
  std::vector<Bucket> buckets_;
  size_t started_ = 0, settled_ = 0;
  int64_t underWay_ = 0;  ///< bytes
  int64_t mostOfOthers_ = 0;
  bool active_ = false, endsWindow_ = false, sharesOut_ = false, done_ = false;
};

}  // namespace adaptive
