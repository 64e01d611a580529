// The choice of the next token: greedy, reproducible, and distributed as asked.
#include "core/model/sampler.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

int64_t next(Sampler& sampler, const Tensor& logits) {
  return sampler.next(logits.unsqueeze(0).clone(), {0})[0];
}

std::vector<int64_t> draws(const Tensor& logits, SamplingOptions options, int count) {
  Sampler sampler(options);
  std::vector<int64_t> ids;
  for (int i = 0; i < count; i++) ids.push_back(next(sampler, logits));
  return ids;
}

/// Shares of 40,000 draws against probabilities: five standard deviations are allowed.
void checkShares(const std::vector<int64_t>& ids, const std::map<int64_t, double>& expected) {
  std::map<int64_t, double> counts;
  for (const int64_t id : ids) counts[id]++;
  const auto n = static_cast<double>(ids.size());
  for (const auto& [id, count] : counts) check(expected.contains(id), c10::str("no draw of token ", id));
  for (const auto& [id, p] : expected)
    checkNear(counts[id] / n, p, 5 * std::sqrt(p * (1 - p) / n) + 1e-9, c10::str("share of token ", id));
}

const Tensor kLogits = at::tensor({0.f, 2.f, -1.f, 1.f, 0.5f});

std::map<int64_t, double> softmaxOver(const std::vector<int64_t>& ids, double temperature) {
  std::map<int64_t, double> p;
  double total = 0;
  for (const int64_t id : ids) total += p[id] = std::exp(kLogits[id].item<double>() / temperature);
  for (auto& [id, value] : p) value /= total;
  return p;
}

}  // namespace

TEST("sampler: temperature 0 takes the largest logit") {
  check(draws(kLogits, {.temperature = 0, .seed = 1}, 3) == std::vector<int64_t>({1, 1, 1}),
        "token 1 each time");
}

TEST("sampler: a seed gives the same tokens, another gives others") {
  const auto first = draws(kLogits, {.temperature = 1, .seed = 5}, 100);
  check(first == draws(kLogits, {.temperature = 1, .seed = 5}, 100), "the same tokens from the same seed");
  check(first != draws(kLogits, {.temperature = 1, .seed = 6}, 100), "other tokens from another seed");
}

TEST("sampler: shares follow the softmax, its temperature, top-k and top-p") {
  constexpr int n = 40000;
  checkShares(draws(kLogits, {.temperature = 1, .seed = 1}, n), softmaxOver({0, 1, 2, 3, 4}, 1));
  checkShares(draws(kLogits, {.temperature = 2.5, .seed = 2}, n), softmaxOver({0, 1, 2, 3, 4}, 2.5));
  checkShares(draws(kLogits, {.temperature = 1, .topK = 3, .seed = 3}, n), softmaxOver({1, 3, 4}, 1));
  checkShares(draws(kLogits, {.temperature = 1, .topK = 100, .seed = 4}, n), softmaxOver({0, 1, 2, 3, 4}, 1));
  // Falling: 0.555, 0.204, 0.124, 0.075, 0.028 … the first two reach 0.7.
  checkShares(draws(kLogits, {.temperature = 1, .topP = 0.7, .seed = 5}, n), softmaxOver({1, 3}, 1));
  checkShares(draws(kLogits, {.temperature = 1, .topP = 0.5, .seed = 6}, 100), {{1, 1.0}});
  checkShares(draws(kLogits, {.temperature = 1, .topK = 1, .seed = 7}, 100), {{1, 1.0}});
}

TEST("sampler: rows side by side draw what each would alone") {
  const Tensor logits = normal({3, 200}, 4).to(at::kFloat);
  for (const SamplingOptions& options : {SamplingOptions{.temperature = 1, .seed = 3},
                                         {.temperature = 0.7, .topK = 5, .seed = 3},
                                         {.temperature = 1, .topK = 150, .seed = 3},
                                         {.temperature = 1, .topP = 0.8, .seed = 3},
                                         {.temperature = 1, .repetitionPenalty = 3, .seed = 3},
                                         {.repetitionPenalty = 2}}) {
    Sampler together(options, 3);
    std::vector<Sampler> alone;
    for (uint64_t row = 0; row < 3; row++) {
      SamplingOptions own = options;
      own.seed += row;
      alone.emplace_back(own);
    }
    for (int step = 0; step < 40; step++) {
      // In another order, and without one of them now and then.
      std::vector<size_t> rows = {2, 0, 1};
      if (step % 3 == 0) rows = {1, 2};
      std::vector<Tensor> own;
      for (const size_t row : rows) own.push_back(logits[static_cast<int64_t>(row)]);
      const std::vector<int64_t> ids = together.next(at::stack(own), rows);
      for (size_t i = 0; i < rows.size(); i++)
        check(ids[i] == next(alone[rows[i]], own[i]), c10::str("the token of row ", rows[i]));
    }
  }
}

TEST("sampler: of equal logits the lower id comes first, however many are kept") {
  Tensor logits = at::zeros({400});
  logits[7] = 1, logits[300] = 1, logits[12] = 1;
  for (const int64_t topK : {1, 200}) {
    const std::vector<int64_t> ids = draws(logits, {.temperature = 1e-3, .topK = topK, .topP = 0.3}, 20);
    check(std::all_of(ids.begin(), ids.end(), [](int64_t id) { return id == 7; }), "token 7 each time");
  }
}

TEST("sampler: logits at the ends of the range give a token") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Tensor& logits : {at::tensor({-infinity, 0.f, -infinity}), at::full({3}, -infinity),
                               at::tensor({3e38f, -3e38f, 0.f})}) {
    for (const double temperature : {0.0, 1.0, 1e-30}) {
      for (const int64_t id : draws(logits, {.temperature = temperature, .seed = 9}, 20))
        check(id >= 0 && id < 3, "an id of the vocabulary");
    }
  }
}

TEST("sampler: a repetition penalty makes what was seen less likely") {
  // Positive logits are divided, negative ones multiplied: 2 → 1 for token 1, −1 → −2 for token 2.
  std::vector<int64_t> ids;
  for (int i = 0; i < 2000; i++) {
    Sampler fresh({.temperature = 1, .repetitionPenalty = 2, .seed = static_cast<uint64_t>(i)});
    fresh.see(0, {1, 2});
    ids.push_back(next(fresh, kLogits));
  }
  std::map<int64_t, double> expected;
  const std::vector<double> penalised = {0, 1, -2, 1, 0.5};
  double total = 0;
  for (int64_t id = 0; id < 5; id++) total += expected[id] = std::exp(penalised[id]);
  for (auto& [id, p] : expected) p /= total;
  checkShares(ids, expected);
  // Greedy: the chosen token counts as seen, so the choice moves on.
  Sampler greedy({.temperature = 0, .repetitionPenalty = 4});
  check(next(greedy, kLogits) == 1 && next(greedy, kLogits) == 3, "token 1, then token 3");
}

TEST("sampler: logits that are not finite, and options that no sampler has") {
  for (const double wrong :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const double temperature : {0.0, 1.0}) {
      Tensor logits = kLogits.clone();
      logits[3] = wrong;
      Sampler sampler({.temperature = temperature});
      checkFails("WEIGHTS_NOT_FINITE", "for token 3", [&] { next(sampler, logits); });
    }
    checkFails("INVALID_INPUT", "temperature", [&] { Sampler({.temperature = wrong}); });
    checkFails("INVALID_INPUT", "topP", [&] { Sampler({.topP = wrong}); });
    checkFails("INVALID_INPUT", "repetitionPenalty", [&] { Sampler({.repetitionPenalty = wrong}); });
  }
  checkFails("INVALID_INPUT", "temperature", [] { Sampler({.temperature = -1}); });
  checkFails("INVALID_INPUT", "topK", [] { Sampler({.topK = -1}); });
  checkFails("INVALID_INPUT", "topP", [] { Sampler({.topP = 1.5}); });
  checkFails("INVALID_INPUT", "repetitionPenalty", [] { Sampler({.repetitionPenalty = 0}); });
}
