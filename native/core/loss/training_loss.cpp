#include "core/loss/training_loss.h"

#include <cmath>

#include "core/expect.h"

namespace adaptive {
namespace {

/// What a loss of the form mean(w·nll) gives token i.
double tokenWeight(const TokenStatistics& statistics, int64_t i, const LossRequest& request) {
  switch (request.kind) {
    case LossKind::Dft:
      return std::exp(-static_cast<double>(statistics.nll[i]));
    case LossKind::Eaft:
      return statistics.topKEntropy[i] / std::log(static_cast<double>(request.topK));
    default:
      return 1;
  }
}

/// Σ of weight·nll over the tokens.
double weightedSum(const TokenStatistics& statistics, const LossRequest& request) {
  double sum = 0;
  for (int64_t i = 0; i < statistics.size(); i++)
    sum += tokenWeight(statistics, i, request) * statistics.lossNll(i);
  return sum;
}

/// Of a mean over `count` tokens, which may be more than those of the statistics.
std::vector<float> weightsOfMean(const TokenStatistics& statistics, const LossRequest& request,
                                 int64_t count) {
  std::vector<float> weights(2 * statistics.size());
  for (int64_t i = 0; i < statistics.size(); i++) {
    weights[2 * i] =
        static_cast<float>(request.scale * tokenWeight(statistics, i, request) / static_cast<double>(count));
  }
  return weights;
}

}  // namespace

LossKind lossKind(const std::string& name) {
  if (name == "adaptive") return LossKind::Adaptive;
  if (name == "ce") return LossKind::CrossEntropy;
  if (name == "dft") return LossKind::Dft;
  if (name == "eaft") return LossKind::Eaft;
  fail("INVALID_INPUT", "Expected loss adaptive, ce, dft or eaft, found \"", name, "\".");
}

void checkLossRequest(const LossRequest& request) {
  expectInteger("topK", request.topK, request.kind == LossKind::Eaft ? 2 : 1, kLargestSize);
  expectThat("INVALID_INPUT", request.confidence >= 0 && request.confidence <= 1, "confidence",
             request.confidence, "a number from 0 to 1");
  expectFinite("scale", request.scale);
  expectThat("INVALID_INPUT", request.smoothing >= 0 && request.smoothing <= 1, "labelSmoothing",
             request.smoothing, "a number from 0 to 1");
  const AdaptiveBias& bias = request.bias;
  expectFinite("state.alpha", bias.alpha);
  expectFinite("state.beta", bias.beta);
  expectFinite("state.alphaMoment1", bias.alphaMoment1);
  expectNotNegative("state.alphaMoment2", bias.alphaMoment2);
  expectFinite("state.betaMoment1", bias.betaMoment1);
  expectNotNegative("state.betaMoment2", bias.betaMoment2);
  expectInteger("state.step", bias.step, 0, int64_t{1} << 53);
}

int64_t entropyOfTop(const LossRequest& request) { return request.kind == LossKind::Eaft ? request.topK : 0; }

MoreStatistics statisticsFor(const LossRequest& request) {
  return {.entropyOfTop = entropyOfTop(request), .smoothing = request.smoothing};
}

LossReport lossReport(const TokenStatistics& statistics, const LabelledTokens& tokens,
                      const LossRequest& request, std::vector<float>* weights,
                      const SumOverRanks& sumOverRanks) {
  LossReport report;
  const CorrectRule rule = {request.topK, request.confidence};
  const bool isAdaptive = request.kind == LossKind::Adaptive;
  report.sums = adaptiveSums(statistics, tokens, rule);
  double weighted = isAdaptive ? 0 : weightedSum(statistics, request);
  if (sumOverRanks) {
    std::vector<double> numbers = packed(report.sums);
    numbers.push_back(weighted);
    sumOverRanks(numbers);
    report.sums = unpacked(numbers);
    weighted = numbers.back();
  }
  report.terms = adaptiveTerms(report.sums, request.bias);
  report.bias = request.bias;
  if (!isAdaptive) {
    const int64_t count = report.sums.total;
    report.loss = count > 0 ? weighted / static_cast<double>(count) : 0;
    if (weights) *weights = weightsOfMean(statistics, request, count);
    return report;
  }
  report.loss = report.terms.loss;
  report.bias = steppedBias(request.bias, report.terms, report.sums);
  if (weights) *weights = adaptiveWeights(statistics, tokens, rule, report.sums, request.bias, request.scale);
  return report;
}

}  // namespace adaptive
