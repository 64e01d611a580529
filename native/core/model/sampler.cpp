#include "core/model/sampler.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/expect.h"

namespace adaptive {

Sampler::Sampler(SamplingOptions options) : options_(options), random_(options.seed) {
  expectNotNegative("temperature", options.temperature);
  expectInteger("topK", options.topK, 0, kLargestSize);
  expectThat("INVALID_INPUT", options.topP >= 0 && options.topP <= 1, "topP", options.topP,
             "a number from 0 to 1");
  expectPositive("repetitionPenalty", options.repetitionPenalty);
}

void Sampler::see(const std::vector<int64_t>& ids) {
  if (options_.repetitionPenalty != 1) seen_.insert(ids.begin(), ids.end());
}

int64_t Sampler::next(at::Tensor logits) {
  auto* z = logits.data_ptr<float>();
  for (int64_t id = 0; id < logits.numel(); id++) {
    // −∞ is a token that is never chosen.
    if (z[id] < std::numeric_limits<float>::infinity()) continue;
    fail("WEIGHTS_NOT_FINITE", "Expected finite logits to choose the next token from, found ", z[id],
         " for token ", id, ". The weights have diverged, or their numbers leave the type computed in.");
  }
  const auto penalty = static_cast<float>(options_.repetitionPenalty);
  for (const int64_t id : seen_) z[id] = z[id] > 0 ? z[id] / penalty : z[id] * penalty;
  const int64_t id = chosen(logits);
  see({id});
  return id;
}

int64_t Sampler::chosen(const at::Tensor& logits) {
  if (options_.temperature <= 0) return logits.argmax().item<int64_t>();
  const int64_t vocab = logits.size(0);
  if (options_.topK == 0 && options_.topP >= 1) return chosenFromAll(logits);
  const int64_t kept = options_.topK > 0 ? std::min(options_.topK, vocab) : vocab;
  // Sorted by falling probability, so that top-p is a prefix.
  const auto [values, ids] = at::topk(logits / options_.temperature, kept);
  const at::Tensor cumulative = at::softmax(values, 0, at::kDouble).cumsum(0);
  const double* sums = cumulative.const_data_ptr<double>();
  int64_t count = 1;
  while (count < kept && sums[count - 1] < options_.topP) count++;
  const double uniform = nextUniform() * sums[count - 1];
  int64_t chosen = 0;
  while (chosen < count - 1 && sums[chosen] <= uniform) chosen++;
  return ids.const_data_ptr<int64_t>()[chosen];
}

int64_t Sampler::chosenFromAll(const at::Tensor& logits) {
  // Nothing is cut off, so nothing has to be sorted, which takes longer than all the rest.
  const at::Tensor p = at::softmax(logits / options_.temperature, 0, at::kDouble);
  const double* shares = p.const_data_ptr<double>();
  const double total = p.sum().item<double>();
  // A temperature close to 0 takes the logits out of range.
  if (!std::isfinite(total)) return logits.argmax().item<int64_t>();
  double left = nextUniform() * total;
  int64_t last = 0;
  for (int64_t id = 0; id < p.numel(); id++) {
    if (shares[id] == 0) continue;
    last = id;
    left -= shares[id];
    if (left < 0) break;
  }
  return last;
}

double Sampler::nextUniform() {
  // 53 random bits: the same sequence on every platform, which std::*_distribution is not.
  return static_cast<double>(random_() >> 11) * 0x1.0p-53;
}

}  // namespace adaptive
