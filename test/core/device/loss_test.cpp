// The whole of the loss on a device, and the divergence of retained rows from the base, beside float64.
#include "device/test_device.h"
#include "whole_loss.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

void checkOnDevice(const LossProblem& p, const Weighting& weighting, const LossPlan& plan) {
  checkLoss(p, weighting, plan, expectedLoss(p, weighting, plan));
}

template <class F>
void forTypes(const F& f) {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) f(type);
}

}  // namespace

TEST(
    "the loss on a device is that of float64: chunks, kept numerators, a frozen head, awkward vocabularies") {
  forTypes([](at::ScalarType type) {
    for (const int64_t vocab : {1, 2, 33, 257, 4099}) {
      const LossProblem p = lossProblem(7, vocab, 19, type, 0.7, testDevice());
      for (const int64_t kept : {-1, 0, 4})
        checkOnDevice(p, anyWeights, {.chunks = {.tokens = 3, .kept = kept}});
      checkOnDevice(p, anyWeights, {.wanted = LossGradients::Hidden, .chunks = {.tokens = 3}});
    }
  });
}

TEST("the loss on a device with scaled, capped and shifted logits, and label smoothing") {
  forTypes([](at::ScalarType type) {
    const LossProblem p = lossProblem(10, 257, 24, type, 0.7, testDevice());
    const at::Tensor bias = at::linspace(-2, 1, 257).to(type).to(testDevice());
    for (const LogitOptions& logits :
         {LogitOptions{0.5, 0}, LogitOptions{1, 5}, LogitOptions{0.5, 4, bias}}) {
      for (const double smoothing : {0.0, 0.1}) {
        for (const auto wanted : {LossGradients::Both, LossGradients::Hidden})
          checkOnDevice(p, anyWeights, {wanted, {.tokens = 4}, logits, {.smoothing = smoothing}});
      }
    }
  });
}

TEST("the loss on a device with every weighting") {
  forTypes([](at::ScalarType type) {
    const LossProblem p = lossProblem(24, 501, 16, type, 0.6, testDevice());
    for (const auto kind : {LossKind::Adaptive, LossKind::CrossEntropy, LossKind::Dft, LossKind::Eaft}) {
      const LossRequest request = {.kind = kind};
      checkOnDevice(p, weightingOf(request, p.tokens),
                    {.chunks = {.tokens = 8}, .more = statisticsFor(request)});
    }
  });
}

TEST("the divergence from a base on a device is that of float64") {
  forTypes([](at::ScalarType type) { checkDivergence(type, testDevice()); });
}
