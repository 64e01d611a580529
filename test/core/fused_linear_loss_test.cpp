// The fused head and loss against autograd on materialised logits in float64.
#include "core/loss/fused_linear_loss.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "check.h"
#include "core/ops/ops.h"
#include "outer.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

struct Problem {
  Tensor hidden, weight;  // float64
  std::vector<int32_t> labels;
  std::vector<float> weights;
};

Problem problem(int64_t tokens, int64_t vocab, int64_t width, double size = 1) {
  Problem p{normal({tokens, width}, 1) * size, normal({vocab, width}, 2) * 0.5, {}, {}};
  // Representable in float32, so that both sides start from the same numbers.
  p.hidden = p.hidden.to(at::kFloat).to(at::kDouble);
  p.weight = p.weight.to(at::kFloat).to(at::kDouble);
  const Tensor firstChoice = at::mm(p.hidden, p.weight.t()).argmax(1);
  const Tensor table = normal({tokens, 2}, 3).to(at::kFloat);
  for (int64_t i = 0; i < tokens; i++) {
    // A third of the tokens is predicted correctly.
    p.labels.push_back(
        static_cast<int32_t>(i % 3 == 0 ? firstChoice[i].item<int64_t>() : (7 * i + 3) % vocab));
    p.weights.push_back(table[i][0].item<float>());
    p.weights.push_back(table[i][1].item<float>());
  }
  return p;
}

struct Result {
  TokenStatistics statistics;
  Tensor gradHidden, gradWeight;
};

Result fused(const Problem& p, at::ScalarType type, ChunkOptions options, LogitOptions logits = {}) {
  const Tensor hidden = p.hidden.to(type), weight = p.weight.to(type);
  FusedLinearLoss loss(hidden, weight, at::tensor(p.labels, at::kInt), LossGradients::Both, options, logits);
  Result result{loss.statistics(), {}, at::zeros(weight.sizes(), at::kDouble)};
  result.gradHidden = loss.backward(p.weights, [&](const ops::LogitGradient& dLogits, const Tensor& chunk) {
    addOuter(result.gradWeight, dLogits, chunk);
  });
  return result;
}

struct Expected {
  Tensor nll, topNll, entropy, rank, argmax, gradHidden, gradWeight;
};

Expected materialised(const Problem& p, at::ScalarType type = at::kDouble, LogitOptions options = {},
                      bool roundsLogits = true) {
  const Tensor hidden = p.hidden.to(type).to(at::kDouble).requires_grad_(true);
  const Tensor weight = p.weight.to(type).to(at::kDouble).requires_grad_(true);
  const Tensor labels = at::tensor(p.labels, at::kLong).unsqueeze(1);
  Tensor logits = options.scale * at::mm(hidden, weight.t());
  if (options.bias.defined()) logits = logits + options.bias;
  if (options.cap > 0) logits = options.cap * (logits / options.cap).tanh();
  // Rounded logits tie now and then, and the choice among them is part of the result.
  if (type != at::kDouble && roundsLogits)
    logits = logits + (logits.to(type).to(at::kDouble) - logits).detach();
  const Tensor whole = logits.logsumexp(1), own = logits.gather(1, labels).squeeze(1);
  const Tensor first = logits.gather(1, logits.argmax(1, true)).squeeze(1);
  const Tensor nll = whole - own, top = whole - first;
  const Tensor table = at::tensor(p.weights, at::kDouble).view({-1, 2});
  const Tensor total = (nll * table.select(1, 0)).sum() + (top * table.select(1, 1)).sum();
  const auto grads = torch::autograd::grad({total}, {hidden, weight});
  const Tensor probabilities = logits.softmax(1);
  return {nll.detach(),
          top.detach(),
          -(probabilities * logits.log_softmax(1)).sum(1).detach(),
          logits.gt(own.unsqueeze(1)).sum(1),
          logits.argmax(1),
          grads[0],
          grads[1]};
}

Tensor labelled(const std::vector<int32_t>& v) { return at::tensor(v, at::kInt); }
Tensor floats(const std::vector<float>& v) { return at::tensor(v, at::kFloat); }
Tensor ints(const std::vector<int32_t>& v) { return at::tensor(v, at::kLong); }

}  // namespace

TEST("fused linear loss: statistics and gradients in float32") {
  for (const int64_t vocab : {13, 257, 1031}) {
    for (const int64_t width : {20, 33, 64}) {
      const Problem p = problem(23, vocab, width);
      const Expected e = materialised(p);
      for (const int64_t chunk : {1, 7, 23, 100, 0}) {
        const std::string at = c10::str(" (vocabulary ", vocab, ", width ", width, ", chunk ", chunk, ")");
        const Result r = fused(p, at::kFloat, {.tokens = chunk});
        checkClose(floats(r.statistics.nll), e.nll, 1e-6, "nll" + at);
        checkClose(floats(r.statistics.topNll), e.topNll, 2e-6, "topNll" + at);
        checkClose(floats(r.statistics.entropy), e.entropy, 3e-6, "entropy" + at);
        checkSame(ints(r.statistics.rank), e.rank, "rank" + at);
        checkSame(ints(r.statistics.argmax), e.argmax, "argmax" + at);
        checkClose(r.gradHidden, e.gradHidden, 2e-6, "gradHidden" + at);
        checkClose(r.gradWeight, e.gradWeight, 2e-6, "gradWeight" + at);
      }
    }
  }
}

TEST("fused linear loss: scaled and capped logits") {
  for (const int64_t vocab : {13, 257}) {
    const Problem p = problem(23, vocab, 33);
    const Tensor bias = at::linspace(-3, 2, vocab);
    for (const LogitOptions& logits : {LogitOptions{0.25, 0}, LogitOptions{1, 3}, LogitOptions{0.5, 30},
                                       LogitOptions{1, 0, bias}, LogitOptions{0.5, 3, bias}}) {
      const Expected e = materialised(p, at::kDouble, logits);
      for (const int64_t chunk : {1, 7, 23}) {
        const std::string at =
            c10::str(" (vocabulary ", vocab, ", scale ", logits.scale, ", cap ", logits.cap,
                     logits.bias.defined() ? ", bias" : "", ", chunk ", chunk, ")");
        const Result r = fused(p, at::kFloat, {.tokens = chunk}, logits);
        checkClose(floats(r.statistics.nll), e.nll, 2e-6, "nll" + at);
        checkClose(floats(r.statistics.entropy), e.entropy, 4e-6, "entropy" + at);
        checkClose(r.gradHidden, e.gradHidden, 5e-6, "gradHidden" + at);
        checkClose(r.gradWeight, e.gradWeight, 5e-6, "gradWeight" + at);
      }
    }
  }
}

TEST("fused linear loss: label smoothing, in two passes and in one, with and without a cap") {
  constexpr double kShare = 0.15;
  for (const int64_t vocab : {13, 257, 1031}) {
    const Problem p = problem(23, vocab, 33);
    for (const LogitOptions logits : {LogitOptions{}, LogitOptions{0.5, 0}, LogitOptions{1, 3}}) {
      const Tensor hidden = p.hidden.clone().requires_grad_(true),
                   weight = p.weight.clone().requires_grad_(true);
      const Tensor labels = at::tensor(p.labels, at::kLong).unsqueeze(1);
      Tensor z = logits.scale * at::mm(hidden, weight.t());
      if (logits.cap > 0) z = logits.cap * (z / logits.cap).tanh();
      // As transformers' LabelSmoother writes it.
      const Tensor negative = -z.log_softmax(1);
      const Tensor smoothed =
          (1 - kShare) * negative.gather(1, labels).squeeze(1) + kShare * negative.sum(1) / vocab;
      const Tensor top = -std::get<0>(z.log_softmax(1).max(1));
      const Tensor table = at::tensor(p.weights, at::kDouble).view({-1, 2});
      const Tensor total = (smoothed * table.select(1, 0)).sum() + (top * table.select(1, 1)).sum();
      const auto grads = torch::autograd::grad({total}, {hidden, weight});
      for (const LossGradients wanted : {LossGradients::Both, LossGradients::Hidden}) {
        for (const int64_t chunk : {1, 7, 23}) {
          const std::string at = c10::str(" (vocabulary ", vocab, ", scale ", logits.scale, ", cap ",
                                          logits.cap, ", chunk ", chunk, ")");
          FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels), wanted,
                               {.tokens = chunk}, logits, {.smoothing = kShare});
          checkClose(floats(loss.statistics().smoothed), smoothed.detach(), 2e-6, "smoothed nll" + at);
          Tensor gradWeight = at::zeros(weight.sizes(), at::kDouble);
          const auto gather = [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
            check(wanted == LossGradients::Both, "no gradient of a frozen weight");
            addOuter(gradWeight, dLogits, rows);
          };
          const Tensor gradHidden = loss.backward(p.weights, gather);
          checkClose(gradHidden, grads[0], 5e-6, "gradHidden" + at);
          if (wanted == LossGradients::Both) checkClose(gradWeight, grads[1], 5e-6, "gradWeight" + at);
        }
      }
    }
  }
}

TEST("fused linear loss: the mean nll of a large vocabulary keeps its digits") {
  const Tensor z = (normal({2, 150001}, 9) * 3 - 20).to(at::kFloat);
  const auto [floats, ints] = ops::tokenStatistics(z, at::tensor({5, 149999}, at::kInt));
  const Tensor wide = z.to(at::kDouble), expected = wide.logsumexp(1) - wide.mean(1);
  checkClose(floats.select(1, 4), expected, 1e-6, "logsumexp - mean");
}

TEST("fused linear loss: kept and recomputed logits agree") {
  const Problem p = problem(40, 257, 48);
  const Result kept = fused(p, at::kFloat, {.tokens = 40});
  for (const int64_t budget : {int64_t{257} * 4 * 39, int64_t{1}}) {
    const Result again = fused(p, at::kFloat, {.budget = budget});
    checkClose(again.gradHidden, kept.gradHidden, 1e-6, "gradHidden");
    checkClose(again.gradWeight, kept.gradWeight, 1e-6, "gradWeight");
    checkClose(floats(again.statistics.nll), floats(kept.statistics.nll), 1e-6, "nll");
  }
}

TEST("fused linear loss: bfloat16 stays near float64 on the same rounded inputs") {
  for (const int64_t vocab : {13, 257, 1031}) {
    const Problem p = problem(31, vocab, 40, 0.5);
    const bool isRounded = !ops::formsFloatLogits(p.hidden.to(at::kBFloat16));
    const Expected e = materialised(p, at::kBFloat16, {}, isRounded);
    const Result r = fused(p, at::kBFloat16, {.tokens = 7});
    // Logits of up to about 8 are themselves rounded to bfloat16, 8 bits.
    checkClose(floats(r.statistics.nll), e.nll, 5e-3, "nll");
    checkClose(floats(r.statistics.entropy), e.entropy, 5e-3, "entropy");
    checkClose(r.gradHidden, e.gradHidden, 2e-2, "gradHidden");
    checkClose(r.gradWeight, e.gradWeight, 2e-2, "gradWeight");
  }
}

TEST("fused linear loss: one pass with a frozen weight gives the same gradient of the hidden states") {
  for (const int64_t vocab : {13, 257}) {
    const Problem p = problem(23, vocab, 33);
    for (const LogitOptions& logits :
         {LogitOptions{}, LogitOptions{0.25, 0}, LogitOptions{0.5, 3, at::linspace(-3, 2, vocab)}}) {
      const Expected e = materialised(p, at::kDouble, logits);
      for (const int64_t chunk : {1, 7, 23}) {
        const std::string at = c10::str(" (vocabulary ", vocab, ", scale ", logits.scale, ", cap ",
                                        logits.cap, ", chunk ", chunk, ")");
        FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels),
                             LossGradients::Hidden, {.tokens = chunk}, logits);
        const Tensor gradHidden = loss.backward(
            p.weights, [](const auto&, const auto&) { check(false, "no gradient of the weight"); });
        checkClose(floats(loss.statistics().nll), e.nll, 2e-6, "nll" + at);
        checkClose(gradHidden, e.gradHidden, 5e-6, "gradHidden" + at);
      }
    }
  }
}

TEST("fused linear loss: one pass keeps the digits of a sure token, and of one sure of another") {
  const Tensor weight = at::zeros({257, 2});
  weight[5][0] = 30, weight[6][1] = 1;
  FusedLinearLoss loss(at::tensor({1.f, 0.f}).repeat({2, 1}), weight, labelled({5, 6}),
                       LossGradients::Hidden);
  const Tensor gradHidden = loss.backward({1, 0, 0, 1}, {});
  const double missing = std::expm1(-std::log1p(256 * std::exp(-30.0)));
  checkNear(gradHidden[0][0].item<double>(), 30 * missing, 1e-5 * std::abs(30 * missing), "of its nll");
  checkNear(gradHidden[1][0].item<double>(), 30 * missing, 1e-5 * std::abs(30 * missing), "of its topNll");
}

TEST("fused linear loss: gradients that were not wanted, or were taken already, are refused") {
  const Problem p = problem(4, 13, 8);
  const auto make = [&](LossGradients wanted) {
    return FusedLinearLoss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels), wanted);
  };
  FusedLinearLoss none = make(LossGradients::None);
  checkFails("INVALID_INPUT", "gradients", [&] { none.backward(p.weights, {}); });
  FusedLinearLoss hidden = make(LossGradients::Hidden);
  hidden.backward(p.weights, {});
  checkFails("INVALID_INPUT", "taken already", [&] { hidden.backward(p.weights, {}); });
}

TEST("fused linear loss: a sure token keeps its digits") {
  // One logit 30 above 256 others: topNll = log1p(256·e⁻³⁰) ≈ 2.4e-11, far below the rounding of 30 in
  // float32.
  const Tensor weight = at::zeros({257, 1});
  weight[5] = 30;
  FusedLinearLoss loss(at::ones({2, 1}), weight, labelled({5, 6}), LossGradients::Both);
  const double expected = std::log1p(256 * std::exp(-30.0));
  checkNear(loss.statistics().nll[0], expected, 1e-5 * expected, "nll of the sure token");
  checkNear(loss.statistics().topNll[1], expected, 1e-5 * expected, "topNll beside the sure token");
  checkNear(loss.statistics().nll[1], 30, 1e-5, "nll of another token");
  Tensor gradWeight = at::zeros({257, 1}, at::kDouble);
  loss.backward({1, 0, 0, 0}, [&](const ops::LogitGradient& dLogits, const Tensor& chunk) {
    addOuter(gradWeight, dLogits, chunk);
  });
  checkNear(gradWeight[5].item<double>(), std::expm1(-expected), 1e-5 * expected, "its gradient");
}

TEST("fused linear loss: ties go to the first index, and rank counts what is strictly greater") {
  Tensor logits = at::zeros({1, 37});
  logits[0][11] = 2, logits[0][30] = 2, logits[0][4] = 1;
  // Identity as the head: the hidden state is the row of logits.
  const auto statistics = [&](int32_t label) {
    return FusedLinearLoss(logits, at::eye(37), labelled({label}), LossGradients::None).statistics();
  };
  check(statistics(30).rank[0] == 0 && statistics(30).argmax[0] == 11, "rank 0, argmax 11 for a tied label");
  check(statistics(4).rank[0] == 2, "rank 2 behind a tie of two");
  check(statistics(36).rank[0] == 3, "rank 3 for a tied last");
}

TEST("fused linear loss: logits that are not finite are reported, whatever their place") {
  for (const int64_t place : {0, 3, 15, 16, 30, 36}) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      for (const auto type : {at::kFloat, at::kBFloat16}) {
        Tensor logits = at::zeros({1, 37});
        logits[0][place] = bad;
        const auto [floats, ints] = ops::tokenStatistics(logits.to(type), at::tensor({1}, at::kInt));
        check(floats[0].narrow(0, 0, 2).isnan().all().item<bool>(), c10::str("NaN for ", bad, " at ", place));
      }
    }
  }
}

TEST("fused linear loss: a token without a first choice gets no gradient, and its neighbours keep theirs") {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const double cap : {0.0, 5.0}) {
      const Tensor all = at::full({4, 37}, 0.5).to(type);
      const Tensor logits = all.narrow(0, 1, 2);
      logits[0][7] = std::numeric_limits<double>::quiet_NaN();
      const Tensor labels = at::tensor({1, 2}, at::kInt), before = all.clone();
      const auto [floats, ints] = ops::tokenStatistics(logits, labels);
      check(ints[0][1].item<int>() == -1, "no first choice");
      ops::lossGradient_(logits, labels, floats, ints, at::tensor({1.f, 0.f, 1.f, 0.f}).view({2, 2}), cap);
      check(logits[0].isnan().all().item<bool>(), "NaN all over its row");
      check(logits[1].isfinite().all().item<bool>(), "a gradient in the next");
      checkSame(all[0], before[0], "row before");
      checkSame(all[3], before[3], "row behind");
    }
  }
  Problem p = problem(5, 13, 8);
  p.hidden[2][3] = std::numeric_limits<double>::quiet_NaN();
  for (const LossGradients wanted : {LossGradients::Both, LossGradients::Hidden}) {
    FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels), wanted,
                         {.tokens = 2});
    check(std::isnan(loss.statistics().nll[2]) && std::isfinite(loss.statistics().nll[3]), "NaN where it is");
    checkFails("LOSS_NOT_FINITE", "labelled token 2", [&] { loss.backward(p.weights, {}); });
  }
}

TEST("fused linear loss: shapes, labels and options that do not fit") {
  const Problem p = problem(4, 13, 8);
  const Tensor hidden = p.hidden.to(at::kFloat), weight = p.weight.to(at::kFloat);
  const auto make = [&](const Tensor& h, const Tensor& w, const std::vector<int32_t>& labels,
                        ChunkOptions options = {}, LogitOptions logits = {}, MoreStatistics more = {}) {
    return [=] { FusedLinearLoss(h, w, labelled(labels), LossGradients::Both, options, logits, more); };
  };
  make(hidden, weight, p.labels)();
  checkFails("INVALID_INPUT", "[4, 7]", make(hidden.narrow(1, 0, 7), weight, p.labels));
  checkFails("INVALID_INPUT", "[32]", make(hidden.view(-1), weight, p.labels));
  checkFails("INVALID_INPUT", "[0, 8]", make(hidden, weight.narrow(0, 0, 0), p.labels));
  checkFails("INVALID_INPUT", "BFloat16", make(hidden.to(at::kBFloat16), weight, p.labels));
  checkFails("INVALID_INPUT", "labels [3]", make(hidden, weight, {1, 2, 3}));
  checkFails("INVALID_INPUT", "label 2", make(hidden, weight, {1, 2, 13, 3}));
  checkFails("INVALID_INPUT", "label 1", make(hidden, weight, {1, -1, 1, 3}));
  checkFails("INVALID_INPUT", "chunk", make(hidden, weight, p.labels, {.tokens = -1}));
  checkFails("INVALID_INPUT", "chunk", make(hidden, weight, p.labels, {.budget = -1}));
  checkFails("INVALID_INPUT", "scale", make(hidden, weight, p.labels, {}, {NAN, 0}));
  checkFails("INVALID_INPUT", "cap", make(hidden, weight, p.labels, {}, {1, -3}));
  checkFails("INVALID_INPUT", "top-k", make(hidden, weight, p.labels, {}, {}, {.entropyOfTop = -1}));
  checkFails("INVALID_INPUT", "first choices", make(hidden, weight, p.labels, {}, {}, {.firstChoices = -1}));
  FusedLinearLoss loss(hidden, weight, labelled(p.labels), LossGradients::Both);
  checkFails("INVALID_INPUT", "found 7", [&] { loss.backward(std::vector<float>(7, 1), {}); });
}

TEST("fused linear loss: chunks fill the budget, and are even") {
  // Float32 logits of 13 tokens: 52 bytes per token.
  const Problem p = problem(10, 13, 8);
  const auto chunks = [&](ChunkOptions options) {
    std::vector<int64_t> sizes;
    FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels),
                         LossGradients::Both, options);
    loss.backward(p.weights, [&](const ops::LogitGradient& dLogits, const Tensor& hidden) {
      check(dLogits.values().size(0) == hidden.size(0), "rows of both");
      sizes.push_back(hidden.size(0));
    });
    return sizes;
  };
  using Sizes = std::vector<int64_t>;
  check(chunks({.budget = 10 * 52}) == Sizes{10}, "one chunk where all fit");
  check(chunks({.budget = 10 * 52 - 1}) == Sizes({5, 5}), "two even chunks, a byte short of that");
  check(chunks({.budget = 3 * 52}) == Sizes({3, 3, 3, 1}), "at most three tokens");
  check(chunks({.budget = 4 * 52 + 51}) == Sizes({4, 4, 2}), "at most four");
  check(chunks({.budget = 1}) == Sizes(10, 1), "at least one token");
  check(chunks({.tokens = 4}) == Sizes({4, 4, 2}), "as many as asked for");
  check(chunks({.tokens = 99}) == Sizes{10}, "no more than there are");
  check(chunks({}) == Sizes{10}, "a large budget by default");
}

TEST("fused linear loss: top-k entropies of every chunk, in order") {
  const Problem p = problem(23, 257, 33);
  const Tensor logits = at::mm(p.hidden, p.weight.t());
  for (const int64_t k : {1, 2, 20, 257, 1000}) {
    const Tensor top = std::get<0>(logits.topk(std::min<int64_t>(k, 257), 1));
    const Tensor expected = -(top.softmax(1) * top.log_softmax(1)).sum(1);
    for (const int64_t chunk : {1, 7, 23}) {
      const FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels),
                                 LossGradients::None, {.tokens = chunk}, {}, {.entropyOfTop = k});
      checkClose(floats(loss.statistics().topKEntropy), expected, k == 1 ? 1 : 2e-6,
                 c10::str("entropy of the top ", k, " in chunks of ", chunk));
      if (k == 1) check(floats(loss.statistics().topKEntropy).abs().max().item<float>() == 0, "none of one");
    }
  }
}

TEST("fused linear loss: the first choices are those of a sort, with and without a cap, in any chunks") {
  const Problem p = problem(23, 61, 8);
  for (const LogitOptions logits : {LogitOptions{}, LogitOptions{0.7, 5}}) {
    Tensor z = p.hidden.matmul(p.weight.t()) * logits.scale;
    if (logits.cap > 0) z = logits.cap * (z / logits.cap).tanh();
    const auto [sorted, order] = z.sort(/*stable=*/true, 1, /*descending=*/true);
    const Tensor nll = (z.logsumexp(1, true) - sorted).to(at::kFloat);
    for (const int64_t k : {1, 5, 61, 100}) {
      const int64_t count = std::min<int64_t>(k, 61);
      for (const int64_t chunk : {1, 7, 23}) {
        const FusedLinearLoss loss(p.hidden.to(at::kFloat), p.weight.to(at::kFloat), labelled(p.labels),
                                   LossGradients::None, {.tokens = chunk}, logits, {.firstChoices = k});
        const TokenStatistics& found = loss.statistics();
        const std::string what = c10::str(k, " first choices in chunks of ", chunk);
        check(found.choices == count, what + ": their number");
        const Tensor ids = at::tensor(found.choiceIds, at::kInt).view({23, count});
        checkSame(ids, order.narrow(1, 0, count).to(at::kInt).contiguous(), what);
        checkClose(floats(found.choiceNll).view({23, count}).to(at::kDouble),
                   nll.narrow(1, 0, count).contiguous().to(at::kDouble), 2e-6, what);
        check(found.choiceIds[0] == found.argmax[0], what + ": the first is the argmax");
      }
    }
  }
}

TEST("fused linear loss: of equally likely choices the lower id comes first, and a NaN is none") {
  // One hidden value of 1: the logits are the weights.
  Tensor z = at::zeros({40, 1});
  z[33] = 2, z[7] = 2, z[20] = 3;
  const auto choices = [&] {
    return FusedLinearLoss(at::ones({1, 1}), z, labelled({4}), LossGradients::None, {}, {},
                           {.firstChoices = 5})
        .statistics();
  };
  check(choices().choiceIds == std::vector<int32_t>{20, 7, 33, 0, 1}, "ties by id");
  check(choices().argmax[0] == 20 && choices().rank[0] == 3, "argmax and rank of the same logits");
  z[20] = std::numeric_limits<float>::quiet_NaN();
  check(choices().argmax[0] == -1 && choices().choiceIds[0] == 7, "NaN");
}

TEST("fused linear loss: no tokens at all") {
  FusedLinearLoss loss(at::zeros({0, 8}), at::zeros({13, 8}), labelled({}), LossGradients::Both);
  check(loss.statistics().size() == 0, "no statistics");
  check(loss.backward({}, [](const auto&, const auto&) {}).size(0) == 0, "no gradient");
}
