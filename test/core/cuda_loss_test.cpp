// The whole of the fused loss on CUDA's operators, forward and backward, against float64 on the same inputs.
#ifdef ADAPTIVE_EMULATED_CUDA
#include <torch/csrc/autograd/autograd.h>

#include <optional>

#include "core/ops/ops.h"
#include "emulated_cuda.h"
#include "outer.h"
#include "whole_loss.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

void checkLoss(const LossProblem& p, const Weighting& weighting, const LossPlan& plan) {
  const ExpectedLoss expected = expectedLoss(p, weighting, plan);
  const EmulatedCuda emulated;
  adaptive::test::checkLoss(p, weighting, plan, expected);
}

template <class F>
void forHalfTypes(const F& f) {
  for (const auto type : {at::kBFloat16, at::kHalf}) f(type);
}

}  // namespace

TEST("CUDA's fused loss over awkward vocabularies: numerators kept, some of them, and recomputed") {
  forHalfTypes([](at::ScalarType type) {
    for (const int64_t vocab : {1, 2, 31, 32, 33, 1000, 32003}) {
      for (const int64_t tokens : {1, 7}) {
        const LossProblem p = lossProblem(tokens, vocab, vocab > 1000 ? 8 : 19, type, 0.7);
        for (const int64_t kept : {-1, 0, 4})
          checkLoss(p, anyWeights, {.chunks = {.tokens = 3, .kept = kept}});
        checkLoss(p, anyWeights, {.wanted = LossGradients::Hidden, .chunks = {.tokens = 3}});
      }
    }
  });
}

TEST("CUDA's fused loss of a vocabulary of 262,144") {
  const LossProblem p = lossProblem(2, 262144, 6, at::kBFloat16);
  for (const int64_t kept : {-1, 0}) checkLoss(p, anyWeights, {.chunks = {.kept = kept}});
}

TEST("CUDA's fused loss with scaled, capped and shifted logits, and label smoothing") {
  forHalfTypes([](at::ScalarType type) {
    const LossProblem p = lossProblem(10, 257, 24, type, 0.7);
    const Tensor bias = at::linspace(-2, 1, 257).to(type);
    for (const LogitOptions& logits :
         {LogitOptions{0.5, 0}, LogitOptions{1, 5}, LogitOptions{0.5, 4, bias}}) {
      for (const double smoothing : {0.0, 0.1}) {
        for (const auto wanted : {LossGradients::Both, LossGradients::Hidden}) {
          for (const int64_t kept : {-1, 0})
            checkLoss(p, anyWeights, {wanted, {.tokens = 4, .kept = kept}, logits, {.smoothing = smoothing}});
        }
      }
    }
  });
}

TEST("CUDA's fused loss with every weighting") {
  forHalfTypes([](at::ScalarType type) {
    const LossProblem p = lossProblem(24, 501, 16, type, 0.6);
    for (const auto kind : {LossKind::Adaptive, LossKind::CrossEntropy, LossKind::Dft, LossKind::Eaft}) {
      for (const double smoothing : {0.0, 0.1}) {
        const LossRequest request = {.kind = kind, .smoothing = smoothing};
        for (const int64_t kept : {-1, 8, 0}) {
          checkLoss(p, weightingOf(request, p.tokens),
                    {.chunks = {.tokens = 8, .kept = kept}, .more = statisticsFor(request)});
        }
        checkLoss(p, weightingOf(request, p.tokens),
                  {.wanted = LossGradients::Hidden, .more = statisticsFor(request)});
      }
    }
  });
}

TEST("CUDA's fused loss keeps tiny weights of a large vocabulary, which float16 has no room for") {
  forHalfTypes([](at::ScalarType type) {
    // Logits near one another: each numerator counts with about weight/32,003.
    const LossProblem p = lossProblem(6, 32003, 8, type, 0.05);
    const Weighting tiny = [](const TokenStatistics& s) { return std::vector<float>(2 * s.size(), 3e-7f); };
    const ExpectedLoss e = expectedLoss(p, tiny, {});
    const EmulatedCuda emulated;
    for (const int64_t kept : {-1, 0}) {
      FusedLinearLoss loss(p.hidden, p.weight, at::tensor(p.tokens.labels, at::kInt), LossGradients::Both,
                           {.kept = kept});
      Tensor gradWeight = at::zeros(p.weight.sizes(), at::kDouble);
      loss.backward(tiny(loss.statistics()), [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
        addOuter(gradWeight, dLogits, rows);
      });
      // Without the rows of labels and first choices, which are thousands of times as large.
      const Tensor small =
          e.gradWeight.abs().amax(1).lt(1e-3 * e.gradWeight.abs().max()).nonzero().squeeze(1);
      check(small.numel() > 31000, "most rows are small");
      checkClose(gradWeight.index_select(0, small), e.gradWeight.index_select(0, small), 1e-2,
                 c10::str("gradWeight in ", type, ", kept ", kept));
    }
  });
}

TEST("CUDA's fused loss of no token, and its gradient of an adapter of the head") {
  const EmulatedCuda emulated;
  FusedLinearLoss none(at::zeros({0, 8}, at::kHalf), at::zeros({13, 8}, at::kHalf), at::empty({0}, at::kInt),
                       LossGradients::Both);
  check(none.backward({}, [](const auto&, const auto&) {}).size(0) == 0, "no gradient");
  forHalfTypes([](at::ScalarType type) {
    const LossProblem p = lossProblem(9, 130, 16, type, 0.7);
    const Tensor low = normal({9, 3}, 5).to(type), raise = (normal({130, 3}, 6) * 0.3).to(type);
    const Tensor lowLeaf = low.to(at::kDouble).requires_grad_(true),
                 raiseLeaf = raise.to(at::kDouble).requires_grad_(true);
    const Tensor z =
        at::mm(p.hidden.to(at::kDouble), p.weight.to(at::kDouble).t()) + lowLeaf.mm(raiseLeaf.t());
    const Tensor nll =
        z.logsumexp(1) - z.gather(1, at::tensor(p.tokens.labels, at::kLong).unsqueeze(1)).squeeze(1);
    const auto grads = torch::autograd::grad({nll.sum()}, {lowLeaf, raiseLeaf});
    for (const int64_t kept : {-1, 0}) {
      Tensor gradRaise = at::zeros(raise.sizes(), at::kDouble);
      LowRankTerm addition = {low, raise, [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
                                addOuter(gradRaise, dLogits, rows);
                              }};
      FusedLinearLoss loss(p.hidden, p.weight, at::tensor(p.tokens.labels, at::kInt), LossGradients::Both,
                           {.tokens = 4, .kept = kept}, {}, {}, addition);
      std::vector<float> weights(18, 0);
      for (size_t i = 0; i < weights.size(); i += 2) weights[i] = 1;
      loss.backward(weights, [](const auto&, const auto&) {});
      checkClose(loss.gradLow(), grads[0], roundingOf(type), "gradient of the adapter's input");
      checkClose(gradRaise, grads[1], roundingOf(type), "gradient of the adapter");
    }
  });
}

TEST("CUDA's divergence from a base has float32 logits of 16 bits") {
  forHalfTypes([](at::ScalarType type) {
    std::optional<EmulatedCuda> emulated;
    checkDivergence(type, at::kCPU, [&] { emulated.emplace(); });
  });
}

TEST("chunks of logits follow the memory that is free, and count float32 logits with their gradients") {
  const EmulatedCuda emulated;
  const LogitForm form(at::zeros({1, 4}, at::kBFloat16));
  check(form.isWide && form.type == at::kFloat && form.bytes == 6, "float32 logits, and 16 bits beside them");
  check(!LogitForm(at::zeros({1, 4})).isWide, "float32 logits of float32");
  const int64_t bytes = 248320 * form.bytes, gib = int64_t{1} << 30;
  check(chunkTokens(16384, bytes, {}, {int64_t{80} * gib, form.memory.largest}) == 2048, "3 GiB at most");
  check(chunkTokens(16384, bytes, {}, {8 * gib, form.memory.largest}) == 713, "an eighth of what is free");
  check(chunkTokens(16384, bytes, {}, {1000, form.memory.largest}) == 1, "a token at least");
}
#endif
