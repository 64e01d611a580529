#include "core/model/sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "core/expect.h"
#include "core/ops/ops.h"
#include "core/upload.h"

namespace adaptive {
namespace {

using at::Tensor;

/// From 0 to less than 1 by 53 random bits: the same sequence on every platform, which std::*_distribution is
/// not.
double uniformOf(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

/// The `count` largest of each row, falling, of equal ones the lower id first, and their ids int64.
std::pair<Tensor, Tensor> largestOf(const Tensor& logits, int64_t count) {
  // What looks for the next largest each time is faster for few, and a sort for many.
  constexpr int64_t kFew = 128;
  if (count <= kFew) {
    const auto [values, ids] = ops::firstChoices(logits, count);
    return {values, ids.to(at::kLong)};
  }
  const auto [values, ids] = at::sort(logits, /*stable=*/std::optional<bool>(true), 1, /*descending=*/true);
  return {values.narrow(1, 0, count), ids.narrow(1, 0, count)};
}

[[noreturn]] void failNotFinite(const Tensor& row) {
  const Tensor logits = row.cpu();
  const auto* z = logits.const_data_ptr<float>();
  int64_t id = 0;
  while (id + 1 < logits.numel() && z[id] < std::numeric_limits<float>::infinity()) id++;
  fail("WEIGHTS_NOT_FINITE", "Expected finite logits to choose the next token from, found ", z[id],
       " for token ", id, ". The weights have diverged, or their numbers leave the type computed in.");
}

}  // namespace

Sampler::Sampler(SamplingOptions options, size_t rows) : options_(options) {
  expectNotNegative("temperature", options.temperature);
  expectInteger("topK", options.topK, 0, kLargestSize);
  expectThat("INVALID_INPUT", options.topP >= 0 && options.topP <= 1, "topP", options.topP,
             "a number from 0 to 1");
  expectPositive("repetitionPenalty", options.repetitionPenalty);
  for (size_t row = 0; row < rows; row++) rows_.push_back({std::mt19937_64(options.seed + row), {}});
}

void Sampler::see(size_t row, const std::vector<int64_t>& ids) {
  if (options_.repetitionPenalty != 1) rows_[row].seen.insert(ids.begin(), ids.end());
}

std::vector<int64_t> Sampler::next(Tensor logits, const std::vector<size_t>& rows) {
  at::NoGradGuard noGrad;
  auto [most, first] = logits.max(1);  // NaN is the largest
  if (penalise(logits, rows)) first = logits.argmax(1);
  const Tensor chosen = options_.temperature > 0 ? drawn(logits, rows, first) : first;
  // −∞ is a token that is never chosen; a row of nothing else is none of diverged weights.
  const Tensor told = at::where(most < std::numeric_limits<float>::infinity(), chosen, -1).cpu();
  const auto* ids = told.const_data_ptr<int64_t>();
  std::vector<int64_t> tokens(ids, ids + told.numel());
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i] < 0) failNotFinite(logits[static_cast<int64_t>(i)]);
    see(rows[i], {tokens[i]});
  }
  return tokens;
}

bool Sampler::penalise(const Tensor& logits, const std::vector<size_t>& rows) const {
  std::vector<int64_t> places;
  for (size_t i = 0; i < rows.size(); i++)
    for (const int64_t id : rows_[rows[i]].seen)
      places.push_back(static_cast<int64_t>(i) * logits.size(1) + id);
  if (places.empty()) return false;
  const Tensor flat = logits.view(-1), seen = uploaded(places, logits), z = flat.index_select(0, seen);
  flat.index_copy_(0, seen, at::where(z > 0, z / options_.repetitionPenalty, z * options_.repetitionPenalty));
  return true;
}

Tensor Sampler::drawn(const Tensor& logits, const std::vector<size_t>& rows, const Tensor& first) {
  const int64_t vocab = logits.size(1);
  std::vector<double> numbers;
  for (const size_t row : rows) numbers.push_back(uniformOf(rows_[row].random));
  const Tensor uniform = uploaded(numbers, logits).unsqueeze(1);
  // Where nothing is cut off, nothing has to be sorted, which takes longer than all the rest.
  const bool isCut = options_.topK > 0 || options_.topP < 1;
  Tensor scaled = logits, ids;
  if (isCut)
    std::tie(scaled, ids) = largestOf(logits, options_.topK > 0 ? std::min(options_.topK, vocab) : vocab);
  // Sums of probabilities; of falling ones, top-p is a beginning.
  const Tensor sums = at::softmax(scaled / options_.temperature, 1, at::kDouble).cumsum(1);
  Tensor last = at::full_like(first, sums.size(1) - 1).unsqueeze(1);
  if (options_.topP < 1)
    last = at::minimum(last, at::searchsorted(sums, at::full_like(uniform, options_.topP)));
  const Tensor wanted = uniform * sums.gather(1, last);
  Tensor chosen = at::minimum(last, at::searchsorted(sums, wanted, /*out_int32=*/false, /*right=*/true));
  if (isCut) chosen = ids.gather(1, chosen);
  // A temperature close to 0 takes the logits out of range.
  return at::where(sums.select(1, -1).isfinite(), chosen.squeeze(1), first);
}

}  // namespace adaptive
