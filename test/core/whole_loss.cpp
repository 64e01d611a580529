#include "whole_loss.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/loss/fused_divergence.h"
#include "outer.h"

namespace adaptive::test {

using at::Tensor;

namespace {

Tensor unaligned(const Tensor& x, at::ScalarType type, at::Device device) {
  const Tensor all = at::empty({x.numel() + 3}, at::device(device).dtype(type));
  return all.narrow(0, 3, x.numel()).view(x.sizes()).copy_(x.to(type));
}

/// On the host, as a leaf in float64.
Tensor leafOf(const Tensor& x) { return x.cpu().to(at::kDouble).requires_grad_(true); }

std::vector<float> listed(const Tensor& x) {
  const Tensor f = x.detach().to(at::kFloat).contiguous();
  return {f.const_data_ptr<float>(), f.const_data_ptr<float>() + f.numel()};
}
std::vector<int32_t> listedIds(const Tensor& x) {
  const Tensor f = x.to(at::kInt).contiguous();
  return {f.const_data_ptr<int32_t>(), f.const_data_ptr<int32_t>() + f.numel()};
}

/// The largest entry, beside which rounding is measured: of two tokens whose gradients cancel it would be
/// nothing.
void checkGradient(const Tensor& actual, const Tensor& expected, double tolerance, const Tensor& weights,
                   const std::string& what) {
  const double scale =
      std::max(expected.abs().max().item<double>(), 1e-3 * weights.abs().max().item<double>());
  const double gap = (actual.cpu().to(at::kDouble) - expected).abs().max().item<double>();
  check(gap <= tolerance * scale, c10::str(what, " within ", tolerance, ", found ", gap / scale));
}

std::string named(const LossPlan& plan, const LossProblem& p) {
  return c10::str(" (", p.hidden.scalar_type(), ", ", p.hidden.sizes(), ", vocabulary ", p.weight.size(0),
                  ", chunk ", plan.chunks.tokens, ", kept ", plan.chunks.kept, ", cap ", plan.logits.cap,
                  ", smoothing ", plan.more.smoothing,
                  plan.wanted == LossGradients::Hidden ? ", frozen head)" : ")");
}

}  // namespace

double roundingOf(at::ScalarType type) {
  return type == at::kBFloat16 ? 4e-3 : type == at::kHalf ? 5e-4 : 1e-5;
}

LossProblem lossProblem(int64_t tokens, int64_t vocab, int64_t width, at::ScalarType type, double size,
                        at::Device device) {
  LossProblem p{unaligned(normal({tokens, width}, 1) * size, type, device),
                unaligned(normal({vocab, width}, 2), type, device),
                {}};
  if (tokens == 0) return p;
  const Tensor first = at::mm(p.hidden.cpu().to(at::kDouble), p.weight.cpu().to(at::kDouble).t()).argmax(1);
  for (int64_t i = 0; i < tokens; i++) {
    p.tokens.positions.push_back(i), p.tokens.rows.push_back(0);
    p.tokens.styles.push_back(static_cast<LearningStyle>(i % 4));
    const int64_t label = i % 3 == 0 ? first[i].item<int64_t>() : (i * 7919 + 3) % vocab;
    p.tokens.labels.push_back(static_cast<int32_t>(label));
  }
  return p;
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

ExpectedLoss expectedLoss(const LossProblem& p, const Weighting& weighting, const LossPlan& plan) {
  const LogitOptions& options = plan.logits;
  const MoreStatistics& more = plan.more;
  const Tensor hidden = leafOf(p.hidden), weight = leafOf(p.weight);
  const Tensor bias = leafOf(options.bias.defined() ? options.bias : at::zeros({weight.size(0)}));
  Tensor z = options.scale * at::mm(hidden, weight.t()) + bias;
  if (options.cap > 0) z = options.cap * (z / options.cap).tanh();
  const Tensor whole = z.logsumexp(1), labels = at::tensor(p.tokens.labels, at::kLong).unsqueeze(1);
  const Tensor own = z.gather(1, labels).squeeze(1), nll = whole - own;
  const Tensor top = whole - z.gather(1, z.argmax(1, true)).squeeze(1);
  const Tensor smoothed = (1 - more.smoothing) * nll + more.smoothing * (whole - z.mean(1));
  ExpectedLoss e;
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

void checkLoss(const LossProblem& p, const Weighting& weighting, const LossPlan& plan,
               const ExpectedLoss& e) {
  const std::string where = named(plan, p);
  const Tensor labels = at::tensor(p.tokens.labels, at::kInt).to(p.hidden.device());
  FusedLinearLoss loss(p.hidden, p.weight, labels, plan.wanted, plan.chunks, plan.logits, plan.more);
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
        gradBias += dLogits.sum().cpu();
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

void checkDivergence(at::ScalarType type, at::Device device, const std::function<void()>& begin) {
  const Tensor base = (normal({11, 16}, 1) * 0.7).to(type), baseHead = normal({301, 16}, 2).to(type);
  const Tensor own = (base + 0.05 * normal({11, 16}, 3)).to(type);
  const Tensor hidden = leafOf(own), head = leafOf(baseHead);
  const Tensor target = base.to(at::kDouble).mm(baseHead.to(at::kDouble).t()).log_softmax(1);
  const Tensor kl = (target.exp() * (target - hidden.mm(head.t()).log_softmax(1))).sum();
  const auto grads = torch::autograd::grad({0.3 * kl}, {hidden, head});
  begin();
  Tensor gradWeight = at::zeros(head.sizes(), at::kDouble);
  const Tensor heads = baseHead.to(device);
  const auto gather = [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
    addOuter(gradWeight, dLogits, rows);
  };
  const Divergence found =
      fusedDivergence({own.to(device), heads}, {base.to(device), heads}, 0.3, {.tokens = 4}, {}, gather);
  checkNear(found.sum, kl.item<double>(), 1e-4 * kl.item<double>(), "divergence");
  // In float32 the rounding of logits counts beside what the two models differ by.
  const double tolerance = std::max(roundingOf(type), 6e-5);
  checkClose(found.gradHidden.cpu(), grads[0], tolerance, "gradHidden");
  checkClose(gradWeight, grads[1], tolerance, "gradWeight");
}

}  // namespace adaptive::test
