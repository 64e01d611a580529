// The losses by name against their definitions written out, on statistics that are given.
#include "core/loss/training_loss.h"

#include <cmath>
#include <limits>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

struct Batch {
  TokenStatistics statistics;
  LabelledTokens tokens;
};

/// Four tokens: two correct (nll = topNll), one wrong within the top two, one outside of them.
Batch batch() {
  Batch b;
  b.statistics = {.nll = {0.25f, 0.5f, 1.5f, 4.f},
                  .topNll = {0.25f, 0.5f, 0.75f, 1.f},
                  .entropy = {1, 1, 1, 1},
                  .rank = {0, 0, 1, 2},
                  .argmax = {3, 3, 4, 4},
                  .topKEntropy = {0.1f, 0.4f, 0.6f, 1.f}};
  b.tokens.labels = {3, 3, 3, 3}, b.tokens.positions = {0, 1, 2, 3}, b.tokens.rows = {0, 0, 0, 0};
  b.tokens.styles.assign(4, LearningStyle::Both);
  return b;
}

LossReport reportOf(const Batch& b, const LossRequest& request, std::vector<float>* weights) {
  return lossReport(b.statistics, b.tokens, request, weights);
}

/// Loss and weights are those of mean(w·nll).
void checkWeightedMean(LossKind kind, const std::vector<double>& w) {
  const Batch b = batch();
  for (const double scale : {1.0, 0.25}) {
    const LossRequest request = {
        .kind = kind, .topK = 3, .scale = scale, .bias = {.alpha = 1.2, .beta = 0.7}};
    std::vector<float> weights;
    const LossReport report = reportOf(b, request, &weights);
    double expected = 0;
    for (size_t i = 0; i < 4; i++) expected += w[i] * b.statistics.nll[i] / 4;
    checkNear(report.loss, expected, 1e-7, "loss");
    check(weights.size() == 8, "two weights per token");
    for (size_t i = 0; i < 4; i++) {
      checkNear(weights[2 * i], scale * w[i] / 4, 1e-7, "weight on the nll");
      check(weights[2 * i + 1] == 0, "no weight on the first choice");
    }
    check(report.bias.alpha == 1.2 && report.bias.beta == 0.7 && report.bias.step == 0, "α and β to stay");
    check(reportOf(b, request, nullptr).loss == report.loss, "the same without weights");
  }
}

}  // namespace

TEST("training loss: cross-entropy is the mean nll") {
  checkWeightedMean(LossKind::CrossEntropy, {1, 1, 1, 1});
}

TEST("training loss: dft weighs with the probability of the label") {
  checkWeightedMean(LossKind::Dft, {std::exp(-0.25), std::exp(-0.5), std::exp(-1.5), std::exp(-4.0)});
}

TEST("training loss: eaft weighs with the entropy of the top k, over log k") {
  const double log3 = std::log(3.0);
  checkWeightedMean(LossKind::Eaft, {0.1 / log3, 0.4 / log3, 0.6 / log3, 1 / log3});
}

TEST("training loss: adaptive is its terms' loss, and α and β step") {
  const Batch b = batch();
  const LossRequest request = {.topK = 2, .scale = 0.5, .bias = {.alpha = 0.8, .beta = 1.3}};
  std::vector<float> weights;
  const LossReport report = reportOf(b, request, &weights);
  const AdaptiveSums sums = adaptiveSums(b.statistics, b.tokens, 2);
  const AdaptiveTerms terms = adaptiveTerms(sums, request.bias);
  check(report.loss == terms.loss && report.terms.loss == terms.loss, "the terms' loss");
  check(weights == adaptiveWeights(b.statistics, b.tokens, 2, sums, request.bias, 0.5), "the scaled weights");
  const AdaptiveBias next = steppedBias(request.bias, terms, sums);
  check(report.bias.step == 1 && report.bias.alpha == next.alpha && report.bias.beta == next.beta, "a step");
  check(next.alpha != 0.8 && next.beta != 1.3, "that moves both");
}

TEST("training loss: by name, and what each wants gathered") {
  check(lossKind("adaptive") == LossKind::Adaptive && lossKind("ce") == LossKind::CrossEntropy &&
            lossKind("dft") == LossKind::Dft && lossKind("eaft") == LossKind::Eaft,
        "four names");
  checkFails("INVALID_INPUT", "found \"mse\"", [] { lossKind("mse"); });
  check(entropyOfTop({.kind = LossKind::Eaft, .topK = 20, .bias = {}}) == 20, "eaft's top-k entropy");
  check(entropyOfTop({.kind = LossKind::Dft, .topK = 20, .bias = {}}) == 0, "no entropy for others");
}

TEST("training loss: no labelled token") {
  for (const LossKind kind : {LossKind::Adaptive, LossKind::CrossEntropy, LossKind::Dft, LossKind::Eaft}) {
    std::vector<float> weights = {1};
    check(lossReport({}, {}, {.kind = kind, .bias = {}}, &weights).loss == 0 && weights.empty(), "nothing");
  }
}

TEST("adaptive loss: confidence is the probability from which a first choice counts as correct") {
  Batch b = batch();
  const double p = std::exp(-0.5);  // of the second token
  const auto sumsAt = [&](double confidence) {
    return adaptiveSums(b.statistics, b.tokens, {2, confidence});
  };
  check(sumsAt(0).correct == 2 && sumsAt(0).wrong == 2 && sumsAt(0).outside == 1,
        "two correct without a bound");
  check(sumsAt(p).correct == 2, "the very probability to count");
  check(sumsAt(std::nextafter(p, 1)).correct == 1, "less than the bound not to");
  const AdaptiveSums s = sumsAt(1);
  // A first choice that is not sure enough is wrong, but its rank is 0: it is not outside.
  check(s.correct == 0 && s.wrong == 4 && s.outside == 1 && s.attentionWrong == 4, "all wrong at 1");
}

TEST("adaptive loss: a token on the bound of the top k is outside, and counted once by both styles") {
  const Batch b = batch();
  const AdaptiveSums two = adaptiveSums(b.statistics, b.tokens, 2),
                     three = adaptiveSums(b.statistics, b.tokens, 3);
  check(two.outside == 1 && two.inTopK == 3, "rank 2 outside of the first two");
  check(three.outside == 0 && three.inTopK == 4, "rank 2 among the first three");
  // Wrong: 2 (attention); outside: 1 (ideas), which is one of them.
  check(two.attentionWrong == 2 && two.ideasOutside == 1 && two.bothOutside == 1 && two.trained() == 2,
        "two tokens trained");
  checkNear(adaptiveTerms(two, {}).factor, 2, 1e-12, "4 tokens over 2 that are not");
  checkNear(two.ideasOutsideNll, 4, 1e-12, "the nll of ideas outside");
  checkNear(two.attentionWrongNll, 5.5, 1e-12, "the nll of attention wrong");
  checkNear(two.correctNll, 0.75, 1e-12, "the nll of what is correct");
}

TEST("adaptive loss: the step of α and β is bounded for gradients as small as Adam's epsilon") {
  AdaptiveSums sums;
  sums.total = 1;
  AdaptiveTerms terms;
  // ∂/∂α = β·(ideas − attention) = 1e-8: the step is lr·g/(g + 1e-8) = lr/2.
  terms.ideas = 1e-8;
  const AdaptiveBias next = steppedBias({}, terms, sums);
  checkNear(next.alpha, 1 - 0.0005, 1e-9, "α after half a step");
}

TEST("adaptive loss: a wrong token of another style leaves attention and ideas without members") {
  Batch b = batch();
  // Wrong and outside: token 3 alone. Attention has tokens 0 and 1, which are correct.
  b.statistics.nll[2] = 0.75f, b.statistics.rank[2] = 0, b.statistics.argmax[2] = 3;
  const auto checkTerms = [&](LearningStyle correct, LearningStyle wrong, double attention, double ideas) {
    b.tokens.styles = {correct, correct, correct, wrong};
    const AdaptiveSums sums = adaptiveSums(b.statistics, b.tokens, 2);
    const AdaptiveTerms terms = adaptiveTerms(sums, {});
    // self: the mean nll of what is correct, (0.25 + 0.5 + 0.75) / 3.
    checkNear(terms.self, 0.5, 1e-12, "self");
    checkNear(terms.attention, 0.125 + attention, 1e-12, "attention");
    checkNear(terms.ideas, 0.125 + ideas, 1e-12, "ideas");
    const std::vector<float> weights = adaptiveWeights(b.statistics, b.tokens, 2, sums, {}, 1);
    for (size_t i = 0; i < 4; i++) check(weights[2 * i + 1] == 0, "no weight on a first choice");
  };
  checkTerms(LearningStyle::Attention, LearningStyle::Misc, 0, 0);
  checkTerms(LearningStyle::Ideas, LearningStyle::Misc, 0, 0);
  checkTerms(LearningStyle::Attention, LearningStyle::Ideas, 0, 4);
  checkTerms(LearningStyle::Ideas, LearningStyle::Attention, 4, 0);
}

TEST("training loss: a request is taken to its very bounds, and not beyond") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(),
                   kInfinity = std::numeric_limits<double>::infinity(),
                   kLargest = std::numeric_limits<float>::max();
  constexpr int64_t kLastStep = int64_t{1} << 53;
  const auto takes = [](const LossRequest& request) { checkLossRequest(request); };
  const auto refuses = [](const std::string& name, const LossRequest& request) {
    checkFails("INVALID_INPUT", "for " + name + ",", [&] { checkLossRequest(request); });
  };
  for (const LossKind kind : {LossKind::Adaptive, LossKind::CrossEntropy, LossKind::Dft, LossKind::Eaft}) {
    const int64_t least = kind == LossKind::Eaft ? 2 : 1;
    takes({.kind = kind, .topK = least, .bias = {}});
    refuses("topK", {.kind = kind, .topK = least - 1, .bias = {}});
    takes({.kind = kind, .topK = std::numeric_limits<int32_t>::max(), .bias = {}});
    refuses("topK", {.kind = kind, .topK = int64_t{1} << 31, .bias = {}});
  }
  for (const double confidence : {0.0, 1.0}) takes({.confidence = confidence, .bias = {}});
  for (const double confidence : {-1e-300, std::nextafter(1, 2), kNaN})
    refuses("confidence", {.confidence = confidence, .bias = {}});
  for (const double sign : {-1.0, 1.0}) takes({.scale = sign * kLargest, .bias = {}});
  const auto refusesNumber = [&](const std::string& name, const auto& requestOf) {
    for (const double wrong : {kNaN, kInfinity, -kInfinity, 1e39, -1e39}) refuses(name, requestOf(wrong));
  };
  refusesNumber("scale", [](double x) { return LossRequest{.scale = x, .bias = {}}; });
  const std::pair<std::string, double AdaptiveBias::*> members[] = {
      {"state.alpha", &AdaptiveBias::alpha},
      {"state.beta", &AdaptiveBias::beta},
      {"state.alphaMoment1", &AdaptiveBias::alphaMoment1},
      {"state.alphaMoment2", &AdaptiveBias::alphaMoment2},
      {"state.betaMoment1", &AdaptiveBias::betaMoment1},
      {"state.betaMoment2", &AdaptiveBias::betaMoment2}};
  for (const auto& [name, member] : members) {
    const auto requestOf = [member = member](double value) {
      LossRequest request{.bias = {}};
      request.bias.*member = value;
      return request;
    };
    refusesNumber(name, requestOf);
    takes(requestOf(0));
    takes(requestOf(kLargest));
    if (name.ends_with("Moment2"))
      refuses(name, requestOf(-1e-300));
    else
      takes(requestOf(-kLargest));
  }
  takes({.bias = {.step = kLastStep}});
  refuses("state.step", {.bias = {.step = kLastStep + 1}});
  refuses("state.step", {.bias = {.step = -1}});
}
