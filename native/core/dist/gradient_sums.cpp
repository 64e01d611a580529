#include "core/dist/gradient_sums.h"

#include <ATen/ATen.h>

namespace adaptive {
namespace {

/// From so many bytes on a gradient is summed alone, and small ones are joined up to as many.
constexpr int64_t kBucketBytes = int64_t{1} << 20;

int64_t bytesOf(Parameter& parameter) {
  parameter.reserveGradient();
  return parameter.gradientBytes();
}

}  // namespace

void GradientSums::begin() {
  buckets_.clear();
  started_ = 0;
  active_ = true;
  int64_t joined = kBucketBytes;
  // The same on every rank: the order follows from the model alone.
  for (const auto& [layer, parameter] : decoder_.trainedFromOutput()) {
    const int64_t bytes = bytesOf(*parameter);
    const bool isNew = joined + bytes > kBucketBytes;
    if (isNew) buckets_.emplace_back();
    joined = isNew ? bytes : joined + bytes;
    buckets_.back().parameters.push_back(parameter);
    buckets_.back().layer = layer;
  }
}

void GradientSums::reached(int64_t layer) {
  if (!active_) return;
  for (; started_ < buckets_.size() && buckets_[started_].layer >= layer; started_++)
    start(buckets_[started_]);
}

void GradientSums::start(Bucket& bucket) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> gradients;
  for (Parameter* parameter : bucket.parameters) gradients.push_back(parameter->gradientToAddTo());
  if (gradients.size() == 1) {
    bucket.work = group_.sum(gradients[0]);
    return;
  }
  for (at::Tensor& gradient : gradients) gradient = gradient.flatten();
  bucket.joined = at::cat(gradients);
  bucket.work = group_.sum(bucket.joined);
}

void GradientSums::finish() {
  at::NoGradGuard noGrad;
  reached(std::numeric_limits<int64_t>::min());
  active_ = false;
  for (Bucket& bucket : buckets_) {
    bucket.work->wait();
    if (!bucket.joined.defined()) continue;
    int64_t first = 0;
    for (Parameter* parameter : bucket.parameters) {
      at::Tensor& gradient = parameter->gradientToAddTo();
      gradient.copy_(bucket.joined.narrow(0, first, gradient.numel()).view_as(gradient));
      first += gradient.numel();
    }
  }
  buckets_.clear();
  done_ = true;
}

void GradientSums::reset() {
  // Work that is under way holds its tensors itself.
  buckets_.clear();
  active_ = done_ = false;
}

}  // namespace adaptive
