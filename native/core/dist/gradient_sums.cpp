#include "core/dist/gradient_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <utility>

namespace adaptive {
namespace {

/// From so many bytes on a gradient is summed alone, and small ones are joined up to as many.
constexpr int64_t kBucketBytes = int64_t{1} << 20;

}  // namespace

void GradientSums::begin(bool endsWindow, bool sharesOut) {
  buckets_.clear();
  started_ = settled_ = 0;
  underWay_ = mostOfOthers_ = 0;
  active_ = true;
  endsWindow_ = endsWindow;
  sharesOut_ = sharesOut;
  // The same on every rank: the order follows from the model alone. Buckets of one owner are for all stages,
  // so that each sums in the same order, to the same last bit.
  const Shards shards(decoder_, group_.size());
  std::map<int64_t, size_t> open;  // by owner
  for (const auto& [layer, parameter] : decoder_.trainedFromOutput()) {
    const int64_t owner = shards.ownerOf(parameter),
                  bytes = parameter->gradientSize() * int64_t{sizeof(float)};
    const auto last = open.find(owner);
    const bool isNew = last == open.end() || buckets_[last->second].bytes + bytes > kBucketBytes;
    if (isNew) {
      open[owner] = buckets_.size();
      buckets_.emplace_back().owner = owner;
    }
    Bucket& bucket = buckets_[open[owner]];
    bucket.parameters.push_back(parameter);
    bucket.layer = layer;
    bucket.bytes += bytes;
  }
  std::stable_sort(buckets_.begin(), buckets_.end(),
                   [](const Bucket& a, const Bucket& b) { return a.layer > b.layer; });
}

void GradientSums::reached(int64_t layer) {
  if (!active_) return;
  for (; started_ < buckets_.size() && buckets_[started_].layer >= layer; started_++) {
    start(buckets_[started_]);
    if (!sharesOut_) continue;
    for (; underWay_ > kBytesUnderWay && settled_ < started_; settled_++) settle(buckets_[settled_]);
  }
}

void GradientSums::start(Bucket& bucket) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> gradients;
  for (Parameter* parameter : bucket.parameters) gradients.push_back(parameter->gradientToAddTo().view(-1));
  mostOfOthers_ = std::max(mostOfOthers_, bytesOfOthers());
  bucket.sum = gradients.size() == 1 ? gradients[0] : at::cat(gradients);
  if (isOthers(bucket))
    for (Parameter* parameter : bucket.parameters) parameter->clearGradient();
  bucket.work = sharesOut_ ? group_.sumTo(bucket.owner, bucket.sum) : group_.sum(bucket.sum);
  underWay_ += bucket.bytes;
}

int64_t GradientSums::bytesOfOthers() const {
  int64_t bytes = 0;
  for (size_t i = settled_; i < buckets_.size(); i++) {
    const Bucket& bucket = buckets_[i];
    if (!isOthers(bucket)) continue;
    if (bucket.sum.defined()) bytes += bucket.bytes;
    for (const Parameter* parameter : bucket.parameters) bytes += parameter->gradientBytes();
  }
  return bytes;
}

void GradientSums::settle(Bucket& bucket) {
  at::NoGradGuard noGrad;
  bucket.work->wait();
  underWay_ -= bucket.bytes;
  if (bucket.parameters.size() > 1 && !isOthers(bucket)) {
    int64_t first = 0;
    for (Parameter* parameter : bucket.parameters) {
      at::Tensor& gradient = parameter->gradientToAddTo();
      gradient.copy_(bucket.sum.narrow(0, first, gradient.numel()).view_as(gradient));
      first += gradient.numel();
    }
  }
  // Work that has ended holds its tensor still.
  bucket.work.reset();
  bucket.sum = at::Tensor();
}

void GradientSums::finish() {
  reached(std::numeric_limits<int64_t>::min());
  active_ = false;
  for (; settled_ < buckets_.size(); settled_++) settle(buckets_[settled_]);
  buckets_.clear();
  group_.rest();
  done_ = endsWindow_;
}

void GradientSums::reset() {
  // Work that is under way holds its tensors itself.
  buckets_.clear();
  active_ = done_ = false;
}

}  // namespace adaptive
