// The whole of the fused loss on CUDA's operators, forward and backward, against float64 on the same inputs.
#ifdef ADAPTIVE_EMULATED_CUDA
#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/loss/fused_divergence.h"
#include "core/loss/fused_linear_loss.h"
#include "core/loss/training_loss.h"
#include "core/ops/ops.h"
#include "emulated_cuda.h"
#include "outer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

struct Problem {
  Tensor hidden, weight;  // of 16 bits
  LabelledTokens tokens;
};

/// Entries start anywhere, as those of a batch and of tied tables may.
Tensor unaligned(const Tensor& x, at::ScalarType type) {
  const Tensor all = at::empty({x.numel() + 3}, type);
  return all.narrow(0, 3, x.numel()).view(x.sizes()).copy_(x);
}

Problem problem(int64_t tokens, int64_t vocab, int64_t width, at::ScalarType type, double size = 1) {
  Problem p{
      unaligned(normal({tokens, width}, 1) * size, type), unaligned(normal({vocab, width}, 2), type), {}};
  if (tokens == 0) return p;
  const Tensor first = at::mm(p.hidden.to(at::kDouble), p.weight.to(at::kDouble).t()).argmax(1);
  for (int64_t i = 0; i < tokens; i++) {
    p.tokens.positions.push_back(i), p.tokens.rows.push_back(0);
    p.tokens.styles.push_back(static_cast<LearningStyle>(i % 4));
    const int64_t label = i % 3 == 0 ? first[i].item<int64_t>() : (i * 7919 + 3) % vocab;
    p.tokens.labels.push_back(static_cast<int32_t>(label));
  }
  return p;
}

/// What makes weights out of statistics.
using Weighting = std::function<std::vector<float>(const TokenStatistics&)>;

struct Expected {
  TokenStatistics statistics;
  Tensor gradHidden, gradWeight, gradBias;
};

/// −log softmax and friends of float64 logits, with weights made of float64 statistics.
Expected materialised(const Problem& p, const Weighting& weighting, const LogitOptions& options,
                      const MoreStatistics& more) {
  const auto leaf = [](const Tensor& x) { return x.to(at::kDouble).requires_grad_(true); };
  const Tensor hidden = leaf(p.hidden), weight = leaf(p.weight);
  const Tensor bias = leaf(options.bias.defined() ? options.bias : at::zeros({weight.size(0)}));
  Tensor z = options.scale * at::mm(hidden, weight.t()) + bias;
  if (options.cap > 0) z = options.cap * (z / options.cap).tanh();
  const Tensor whole = z.logsumexp(1), labels = at::tensor(p.tokens.labels, at::kLong).unsqueeze(1);
  const Tensor own = z.gather(1, labels).squeeze(1), nll = whole - own;
  const Tensor top = whole - z.gather(1, z.argmax(1, true)).squeeze(1);
  const Tensor smoothed = (1 - more.smoothing) * nll + more.smoothing * (whole - z.mean(1));
  const auto listed = [](const Tensor& x) {
    const Tensor f = x.detach().to(at::kFloat).contiguous();
    return std::vector<float>(f.const_data_ptr<float>(), f.const_data_ptr<float>() + f.numel());
  };
  const auto listedIds = [](const Tensor& x) {
    const Tensor f = x.to(at::kInt).contiguous();
    return std::vector<int32_t>(f.const_data_ptr<int32_t>(), f.const_data_ptr<int32_t>() + f.numel());
  };
  Expected e;
  e.statistics.nll = listed(nll), e.statistics.topNll = listed(top);
  e.statistics.entropy = listed(-(z.softmax(1) * z.log_softmax(1)).sum(1));
  e.statistics.rank = listedIds(z.gt(own.unsqueeze(1)).sum(1));
  e.statistics.argmax = listedIds(z.argmax(1));
  if (more.smoothing > 0) e.statistics.smoothed = listed(smoothed);
  if (more.entropyOfTop > 0) {
    const Tensor largest = std::get<0>(z.topk(std::min(more.entropyOfTop, z.size(1)), 1));
    e.statistics.topKEntropy = listed(-(largest.softmax(1) * largest.log_softmax(1)).sum(1));
  }
  const Tensor table = at::tensor(weighting(e.statistics), at::kDouble).view({-1, 2});
  const Tensor total = (smoothed * table.select(1, 0)).sum() + (top * table.select(1, 1)).sum();
  const auto grads = torch::autograd::grad({total}, {hidden, weight, bias});
  e.gradHidden = grads[0], e.gradWeight = grads[1], e.gradBias = grads[2];
  return e;
}

double roundingOf(at::ScalarType type) { return type == at::kBFloat16 ? 4e-3 : 5e-4; }

/// The largest entry, beside which rounding is measured: of two tokens whose gradients cancel it would be
/// nothing.
void checkGradient(const Tensor& actual, const Tensor& expected, double tolerance, const Tensor& weights,
                   const std::string& what) {
  const double scale =
      std::max(expected.abs().max().item<double>(), 1e-3 * weights.abs().max().item<double>());
  const double gap = (actual.to(at::kDouble) - expected).abs().max().item<double>();
  check(gap <= tolerance * scale, c10::str(what, " within ", tolerance, ", found ", gap / scale));
}

struct Plan {
  LossGradients wanted = LossGradients::Both;
  ChunkOptions chunks = {};
  LogitOptions logits = {};
  MoreStatistics more = {};
};

std::string named(const Plan& plan, const Problem& p) {
  return c10::str(" (", p.hidden.scalar_type(), ", ", p.hidden.sizes(), ", vocabulary ", p.weight.size(0),
                  ", chunk ", plan.chunks.tokens, ", kept ", plan.chunks.kept, ", cap ", plan.logits.cap,
                  ", smoothing ", plan.more.smoothing,
                  plan.wanted == LossGradients::Hidden ? ", frozen head)" : ")");
}

void checkLoss(const Problem& p, const Weighting& weighting, const Plan& plan) {
  const Expected e = materialised(p, weighting, plan.logits, plan.more);
  const std::string where = named(plan, p);
  const EmulatedCuda emulated;
  FusedLinearLoss loss(p.hidden, p.weight, p.tokens.labels, plan.wanted, plan.chunks, plan.logits, plan.more);
  const TokenStatistics& found = loss.statistics();
  const auto floats = [](const std::vector<float>& x) { return at::tensor(x, at::kFloat); };
  checkClose(floats(found.nll), floats(e.statistics.nll), 2e-6, "nll" + where);
  checkClose(floats(found.topNll), floats(e.statistics.topNll), 4e-6, "topNll" + where);
  checkClose(floats(found.smoothed), floats(e.statistics.smoothed), 2e-6, "smoothed" + where);
  if (p.weight.size(0) > 1) {
    checkClose(floats(found.entropy), floats(e.statistics.entropy), 1e-5, "entropy" + where);
    checkClose(floats(found.topKEntropy), floats(e.statistics.topKEntropy), 1e-5, "entropy of top k" + where);
  }
  check(found.rank == e.statistics.rank && found.argmax == e.statistics.argmax, "ranks and choices" + where);
  const std::vector<float> weights = weighting(found);
  Tensor gradWeight = at::zeros(p.weight.sizes(), at::kDouble), gradBias = at::zeros({p.weight.size(0)});
  const Tensor gradHidden =
      loss.backward(weights, [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
        check(plan.wanted == LossGradients::Both, "no gradient of a frozen head" + where);
        addOuter(gradWeight, dLogits, rows);
        gradBias += dLogits.sum();
      });
  // With smoothing all of the gradient is rounded to 16 bits, otherwise what is not label or first choice.
  const double tolerance = (plan.more.smoothing > 0 ? 2 : 1) * roundingOf(p.hidden.scalar_type());
  check(gradHidden.scalar_type() == p.hidden.scalar_type(), "a gradient of the type of the states" + where);
  checkGradient(gradHidden, e.gradHidden, tolerance, floats(weights), "gradHidden" + where);
  if (plan.wanted != LossGradients::Both) return;
  checkGradient(gradWeight, e.gradWeight, tolerance, floats(weights), "gradWeight" + where);
  if (plan.logits.bias.defined())
    checkGradient(gradBias, e.gradBias, tolerance, floats(weights), "gradBias" + where);
}

/// Weights of any size and sign.
std::vector<float> anyWeights(const TokenStatistics& statistics) {
  const Tensor table = normal({2 * statistics.size()}, 3).to(at::kFloat);
  return {table.const_data_ptr<float>(), table.const_data_ptr<float>() + table.numel()};
}

Weighting weightingOf(const LossRequest& request, const LabelledTokens& tokens) {
  return [request, &tokens](const TokenStatistics& statistics) {
    std::vector<float> weights;
    lossReport(statistics, tokens, request, &weights);
    return weights;
  };
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
        const Problem p = problem(tokens, vocab, vocab > 1000 ? 8 : 19, type, 0.7);
        for (const int64_t kept : {-1, 0, 4})
          checkLoss(p, anyWeights, {.chunks = {.tokens = 3, .kept = kept}});
        checkLoss(p, anyWeights, {.wanted = LossGradients::Hidden, .chunks = {.tokens = 3}});
      }
    }
  });
}

TEST("CUDA's fused loss of a vocabulary of 262,144") {
  const Problem p = problem(2, 262144, 6, at::kBFloat16);
  for (const int64_t kept : {-1, 0}) checkLoss(p, anyWeights, {.chunks = {.kept = kept}});
}

TEST("CUDA's fused loss with scaled, capped and shifted logits, and label smoothing") {
  forHalfTypes([](at::ScalarType type) {
    const Problem p = problem(10, 257, 24, type, 0.7);
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
    const Problem p = problem(24, 501, 16, type, 0.6);
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
    const Problem p = problem(6, 32003, 8, type, 0.05);
    const Weighting tiny = [](const TokenStatistics& s) { return std::vector<float>(2 * s.size(), 3e-7f); };
    const Expected e = materialised(p, tiny, {}, {});
    const EmulatedCuda emulated;
    for (const int64_t kept : {-1, 0}) {
      FusedLinearLoss loss(p.hidden, p.weight, p.tokens.labels, LossGradients::Both, {.kept = kept});
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
  FusedLinearLoss none(at::zeros({0, 8}, at::kHalf), at::zeros({13, 8}, at::kHalf), {}, LossGradients::Both);
  check(none.backward({}, [](const auto&, const auto&) {}).size(0) == 0, "no gradient");
  forHalfTypes([](at::ScalarType type) {
    const Problem p = problem(9, 130, 16, type, 0.7);
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
      FusedLinearLoss loss(p.hidden, p.weight, p.tokens.labels, LossGradients::Both,
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
    const Tensor base = (normal({11, 16}, 1) * 0.7).to(type), baseHead = normal({301, 16}, 2).to(type);
    const Tensor own = (base + 0.05 * normal({11, 16}, 3)).to(type);
    const Tensor hidden = own.to(at::kDouble).requires_grad_(true),
                 head = baseHead.to(at::kDouble).requires_grad_(true);
    const Tensor target = base.to(at::kDouble).mm(baseHead.to(at::kDouble).t()).log_softmax(1);
    const Tensor kl = (target.exp() * (target - hidden.mm(head.t()).log_softmax(1))).sum();
    const auto grads = torch::autograd::grad({0.3 * kl}, {hidden, head});
    const EmulatedCuda emulated;
    Tensor gradWeight = at::zeros(head.sizes(), at::kDouble);
    const Divergence found = fusedDivergence(
        {own, baseHead}, {base, baseHead}, 0.3, {.tokens = 4}, {},
        [&](const ops::LogitGradient& dLogits, const Tensor& rows) { addOuter(gradWeight, dLogits, rows); });
    checkNear(found.sum, kl.item<double>(), 1e-4 * kl.item<double>(), "divergence");
    checkClose(found.gradHidden, grads[0], roundingOf(type), "gradHidden");
    checkClose(gradWeight, grads[1], roundingOf(type), "gradWeight");
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
