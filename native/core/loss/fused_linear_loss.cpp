#include "core/loss/fused_linear_loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/expect.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"
#include "core/upload.h"

namespace adaptive {
namespace {

template <class T>
std::vector<T> column(const at::Tensor& table, int64_t index) {
  std::vector<T> out(table.size(0));
  const T* data = table.const_data_ptr<T>();
  for (size_t i = 0; i < out.size(); i++) out[i] = data[i * table.size(1) + index];
  return out;
}

template <class T>
std::vector<T> allOf(const at::Tensor& table) {
  return {table.const_data_ptr<T>(), table.const_data_ptr<T>() + table.numel()};
}

/// At most half of x to at most x; 1 where that is 0 or no number.
double powerOfTwoNear(double x) {
  if (!(x > 0) || !std::isfinite(x)) return 1;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1, exponent - 1);
}

void checkShapes(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& labels) {
  if (hidden.dim() != 2 || weight.dim() != 2 || hidden.size(1) != weight.size(1) || weight.size(0) < 1 ||
      hidden.scalar_type() != weight.scalar_type() || labels.scalar_type() != at::kInt || labels.dim() != 1 ||
      labels.size(0) != hidden.size(0) || labels.device() != hidden.device()) {
    fail("INVALID_INPUT",
         "Expected hidden [n, width], weight [vocab, width] of one type and int32 labels [n] beside hidden, "
         "found ",
         hidden.scalar_type(), " ", hidden.sizes(), ", ", weight.scalar_type(), " ", weight.sizes(), " and ",
         labels.scalar_type(), " labels ", labels.sizes(), ".");
  }
  const int64_t vocab = weight.size(0);
  expectInteger("the rows of weight", vocab, 1, kLargestSize);
  if (!labels.is_cpu()) return;
  for (int64_t i = 0; i < labels.size(0); i++) {
    const int32_t label = labels.const_data_ptr<int32_t>()[i];
    if (label < 0 || label >= vocab) expectInteger("label " + std::to_string(i), label, 0, vocab - 1);
  }
}

}  // namespace

void checkHeadBias(const at::Tensor& bias, const at::Tensor& weight) {
  if (!bias.defined()) return;
  if (bias.dim() != 1 || bias.size(0) != weight.size(0))
    fail("INVALID_INPUT", "Expected a bias [", weight.size(0), "] of the logits, found ", bias.sizes(), ".");
}

void LowRankTerm::addTo(const at::Tensor& products, int64_t first) const {
  ops::addProduct(products, low.narrow(0, first, products.size(0)), raise.t());
}

void LowRankTerm::goBack(const ops::LogitGradient& dLogits, int64_t first, double scale) {
  if (!gradLow.defined()) gradLow = at::empty_like(low);
  const int64_t count = dLogits.values().size(0);
  at::Tensor target = gradLow.narrow(0, first, count);
  dLogits.timesInto(target, raise);
  if (scale != 1) target.mul_(scale);
  addGradient(dLogits, low.narrow(0, first, count));
}

FusedLinearLoss::FusedLinearLoss(at::Tensor hidden, at::Tensor weight, at::Tensor labels,
                                 LossGradients wanted, ChunkOptions options, LogitOptions logits,
                                 MoreStatistics more, LowRankTerm addition)
    : hidden_(std::move(hidden)),
      weight_(std::move(weight)),
      labels_(labels.contiguous()),
      wanted_(wanted),
      isWeightFrozen_(wanted == LossGradients::Hidden),
      options_(logits),
      smoothing_(more.smoothing),
      addition_(std::move(addition)) {
  at::NoGradGuard noGrad;
  checkShapes(hidden_, weight_, labels_);
  expectFinite("the scale of the logits", logits.scale);
  expectNotNegative("the cap of the logits", logits.cap);
  expectInteger("the k of top-k entropies", more.entropyOfTop, 0, kLargestSize);
  expectInteger("the number of first choices", more.firstChoices, 0, kLargestSize);
  checkHeadBias(logits.bias, weight_);
  const LogitForm form(hidden_);
  isWide_ = form.isWide;
  // The smoothed part of the gradient goes through the slope of the cap at every logit of each token, which
  // one pass has no room for. Numerators know nothing of it.
  if (isWeightFrozen_ && smoothing_ > 0 && (logits.cap > 0 || isWide_)) wanted_ = LossGradients::Both;
  // A scale costs one pass over the hidden states instead of one over the logits.
  if (options_.scale != 1) {
    hidden_ = hidden_ * options_.scale;
    if (addition_) addition_.low = addition_.low * options_.scale;
  }
  const int64_t tokens = hidden_.size(0), vocab = weight_.size(0);
  statistics_.choices = std::min(more.firstChoices, vocab);
  chunk_ = chunkTokens(tokens, vocab * form.bytes, options, form.memory);
  const int64_t largest = std::min(chunk_, tokens), numerators = tokensToKeep(options, form.memory.free);
  buffer_ = at::empty({largest, vocab}, hidden_.options().dtype(form.type));
  if (numerators > 0) numerators_ = at::empty({numerators, vocab}, hidden_.options());
  if (isWide_ && (wanted_ == LossGradients::Hidden || numerators < tokens))
    scratch_ = at::empty({largest, vocab}, hidden_.options());
  if (wanted_ == LossGradients::Hidden)
    onTop_ = at::empty(hidden_.sizes(), hidden_.options().dtype(form.type));
  const int64_t entropies = more.entropyOfTop > 0 ? 1 : 0;
  numbers_ = at::empty({tokens * Table::numbersOf(entropies, statistics_.choices)},
                       hidden_.options().dtype(at::kFloat));
  table_ = Table(numbers_, tokens, entropies, statistics_.choices);
  for (int64_t first = 0; first < tokens; first += chunk_) {
    const int64_t count = std::min(chunk_, tokens - first);
    const at::Tensor logits = logitsOf(first, count);
    const auto [floats, ints] = ops::tokenStatistics(logits, labels_.narrow(0, first, count));
    table_.floats.narrow(0, first, count).copy_(floats);
    table_.ints.narrow(0, first, count).copy_(ints);
    gather(logits, first, count, more);
    keep(logits, first, count);
  }
  kept_ = wanted_ == LossGradients::Both && !isWide_ && chunk_ >= tokens;
  if (wanted_ != LossGradients::Both || (isWide_ && numerators >= tokens)) buffer_ = at::Tensor();
  if (wanted_ != LossGradients::Both) scratch_ = at::Tensor();
  readStatistics(entropies);
}

int64_t FusedLinearLoss::tokensToKeep(const ChunkOptions& options, int64_t freeBytes) const {
  // Label smoothing adds to every logit of a token.
  if (!isWide_ || wanted_ != LossGradients::Both || smoothing_ > 0) return 0;
  const int64_t tokens = hidden_.size(0);
  const int64_t bytes = weight_.size(0) * static_cast<int64_t>(hidden_.element_size());
  const int64_t most = options.kept < 0 ? freeBytes / 2 / bytes : options.kept;
  return most >= tokens ? tokens : most / chunk_ * chunk_;
}

void FusedLinearLoss::keep(const at::Tensor& logits, int64_t first, int64_t count) {
  const auto& [labels, floats, ints] = rowsOf(first, count);
  if (wanted_ == LossGradients::Hidden) {
    at::Tensor values = logits;
    if (isWide_) {
      values = scratch_.narrow(0, 0, count);
      ops::keepNumerators_(values, logits, labels, floats, ints, options_.cap);
    } else {
      const at::Tensor onTop = at::zeros({count, 2}, floats.options());
      onTop.select(1, 1).fill_(1);
      ops::lossGradient_(logits, labels, floats, ints, onTop, options_.cap, smoothing_);
    }
    at::Tensor target = onTop_.narrow(0, first, count);
    ops::productInto(target, values, weight_);
  } else if (numerators_.defined() && first + count <= numerators_.size(0)) {
    ops::keepNumerators_(numerators_.narrow(0, first, count), logits, labels, floats, ints, options_.cap);
  }
}

FusedLinearLoss::Rows FusedLinearLoss::rowsOf(int64_t first, int64_t count) const {
  return {labels_.narrow(0, first, count), table_.floats.narrow(0, first, count),
          table_.ints.narrow(0, first, count)};
}

FusedLinearLoss::Table::Table(const at::Tensor& all, int64_t tokens, int64_t entropies, int64_t choices) {
  int64_t place = 0;
  const auto next = [&](int64_t width, at::ScalarType type = at::kFloat) {
    const at::Tensor view = all.narrow(0, place, tokens * width).view(type).view({tokens, width});
    place += tokens * width;
    return view;
  };
  floats = next(5), ints = next(2, at::kInt), this->entropies = next(entropies);
  choiceNll = next(choices), choiceIds = next(choices, at::kInt);
}

void FusedLinearLoss::readStatistics(int64_t entropies) {
  const Table table(numbers_.cpu(), hidden_.size(0), entropies, statistics_.choices);
  const at::Tensor &floats = table.floats, &ints = table.ints;
  statistics_.nll = column<float>(floats, 0);
  statistics_.topNll = column<float>(floats, 1);
  statistics_.entropy = column<float>(floats, 3);
  if (smoothing_ > 0) {
    const auto share = static_cast<float>(smoothing_);
    statistics_.smoothed = column<float>(floats, 4);
    for (size_t i = 0; i < statistics_.smoothed.size(); i++) {
      float& smoothed = statistics_.smoothed[i];
      smoothed = (1 - share) * statistics_.nll[i] + share * smoothed;
    }
  }
  statistics_.rank = column<int32_t>(ints, 0);
  statistics_.argmax = column<int32_t>(ints, 1);
  statistics_.topKEntropy = allOf<float>(table.entropies);
  statistics_.choiceNll = allOf<float>(table.choiceNll);
  statistics_.choiceIds = allOf<int32_t>(table.choiceIds);
}

void FusedLinearLoss::gather(const at::Tensor& logits, int64_t first, int64_t count,
                             const MoreStatistics& more) {
  if (more.entropyOfTop > 0)
    table_.entropies.narrow(0, first, count).select(1, 0).copy_(ops::topKEntropy(logits, more.entropyOfTop));
  const int64_t choices = statistics_.choices;
  if (choices == 0) return;
  const auto [largest, ids] = ops::firstChoices(logits, choices);
  // nll = topNll + (max − z), as that of a label.
  const at::Tensor floats = table_.floats.narrow(0, first, count);
  table_.choiceNll.narrow(0, first, count)
      .copy_((floats.narrow(1, 2, 1) - largest).add_(floats.narrow(1, 1, 1)));
  table_.choiceIds.narrow(0, first, count).copy_(ids);
}

at::Tensor FusedLinearLoss::logitsOf(int64_t first, int64_t count) {
  at::Tensor logits = buffer_.narrow(0, 0, count);
  ops::productInto(logits, hidden_.narrow(0, first, count), weight_.t());
  if (addition_) addition_.addTo(logits, first);
  if (options_.bias.defined()) logits.add_(options_.bias);
  if (options_.cap > 0) ops::softCap_(logits, options_.cap);
  return logits;
}

at::Tensor FusedLinearLoss::numeratorsOf(int64_t first, int64_t count) {
  if (numerators_.defined() && first + count <= numerators_.size(0))
    return numerators_.narrow(0, first, count);
  const at::Tensor logits = logitsOf(first, count);
  const auto& [labels, floats, ints] = rowsOf(first, count);
  const at::Tensor numerators = scratch_.narrow(0, 0, count);
  ops::keepNumerators_(numerators, logits, labels, floats, ints, options_.cap);
  return numerators;
}

ops::LogitGradient FusedLinearLoss::gradientOf(int64_t first, int64_t count,
                                               const std::vector<float>& weights, const at::Tensor& table) {
  const auto& [labels, floats, ints] = rowsOf(first, count);
  const at::Tensor own = table.narrow(0, first, count);
  if (!isWide_) {
    const at::Tensor logits = kept_ ? buffer_ : logitsOf(first, count);
    ops::lossGradient_(logits, labels, floats, ints, own, options_.cap, smoothing_);
    return logits;
  }
  // The gradients of a large vocabulary are too small for float16, unless they are taken apart from a power
  // of two.
  double ofWeights = 0, ofNumerators = 0;
  for (int64_t i = first; i < first + count; i++) {
    const double a = weights[2 * i], b = weights[2 * i + 1], topNll = statistics_.topNll[i];
    ofWeights = std::max({ofWeights, std::abs(a), std::abs(b)});
    ofNumerators = std::max(ofNumerators, std::abs(a + b) * std::exp(-topNll));
  }
  if (smoothing_ == 0) {
    const at::Tensor scales = ops::numeratorScales(labels, floats, ints, own, options_.cap);
    return {numeratorsOf(first, count), scales, labels, ints, powerOfTwoNear(ofNumerators) / 16};
  }
  const double unit = powerOfTwoNear(ofWeights) / 4096;
  const at::Tensor logits = logitsOf(first, count), gradient = scratch_.narrow(0, 0, count);
  ops::lossGradientInto_(gradient, logits, labels, floats, ints, own / unit, options_.cap, smoothing_);
  return {gradient, unit};
}

at::Tensor FusedLinearLoss::hiddenGradient(const at::Tensor& weights) {
  if (isWide_) {
    const at::Tensor scales =
        ops::numeratorScales(labels_, table_.floats, table_.ints, weights, options_.cap);
    const at::Tensor gradient = ops::fromNumerators(onTop_, weight_, scales, labels_, table_.ints);
    return options_.scale == 1 ? gradient : gradient * options_.scale;
  }
  // (a + b)·∂topNll/∂h + a·(slope·w of the first choice − slope·w of the label): where the label is the first
  // choice the difference is zero to the last bit, so that a sure token keeps its digits.
  const auto rowsOf = [&](const at::Tensor& ids, const at::Tensor& logit) {
    const at::Tensor rows = weight_.index_select(0, ids).to(at::kFloat);
    if (options_.cap <= 0) return rows;
    const at::Tensor t = logit / options_.cap;
    return rows * (1 - t * t).unsqueeze(1);
  };
  const at::Tensor nll = table_.floats.select(1, 0), topNll = table_.floats.select(1, 1),
                   max = table_.floats.select(1, 2);
  const at::Tensor onNll = weights.narrow(1, 0, 1), label = rowsOf(labels_, max + (topNll - nll));
  at::Tensor gradient = rowsOf(table_.ints.select(1, 1), max);
  gradient.sub_(label);
  // Of the label, the share ε is taken back and spread over the vocabulary.
  if (smoothing_ > 0) gradient.add_(label - meanOfWeight(), smoothing_);
  gradient.mul_(onNll).addcmul_(onTop_.to(at::kFloat), weights.sum(1, /*keepdim=*/true));
  if (options_.scale != 1) gradient.mul_(options_.scale);
  return gradient.to(hidden_.scalar_type());
}

at::Tensor FusedLinearLoss::meanOfWeight() const {
  constexpr int64_t kSlabRows = 4096;
  at::Tensor sum = at::zeros({weight_.size(1)}, weight_.options().dtype(at::kDouble));
  for (int64_t row = 0; row < weight_.size(0); row += kSlabRows) {
    const int64_t count = std::min(kSlabRows, weight_.size(0) - row);
    sum.add_(weight_.narrow(0, row, count).sum(0, /*keepdim=*/false, at::kFloat));
  }
  return sum.div_(weight_.size(0)).to(at::kFloat);
}

at::Tensor FusedLinearLoss::backward(const std::vector<float>& weights, const AddOuter& addWeightGradient) {
  at::NoGradGuard noGrad;
  if (wanted_ == LossGradients::None) {
    fail("INVALID_INPUT",
         "Expected a loss that gradients were wanted of, found one of statistics alone, or one whose "
         "gradients were "
         "taken already.");
  }
  const int64_t tokens = hidden_.size(0);
  if (static_cast<int64_t>(weights.size()) != 2 * tokens)
    fail("INVALID_INPUT", "Expected two weights for each of ", tokens, " tokens, found ", weights.size(),
         ".");
  for (int64_t i = 0; i < tokens; i++) {
    // The first choice is an index from here on.
    if (statistics_.argmax[i] < 0)
      fail("LOSS_NOT_FINITE", "Expected finite logits, found NaN among those of labelled token ", i, ".");
  }
  const at::Tensor table = uploaded(weights, hidden_).view({tokens, 2});
  if (std::exchange(wanted_, LossGradients::None) == LossGradients::Hidden) return hiddenGradient(table);
  at::Tensor gradHidden = at::empty_like(hidden_);
  for (int64_t first = 0; first < tokens; first += chunk_) {
    const int64_t count = std::min(chunk_, tokens - first);
    const ops::LogitGradient dLogits = gradientOf(first, count, weights, table);
    dLogits.timesInto(gradHidden.narrow(0, first, count), weight_);
    if (addition_) addition_.goBack(dLogits, first, options_.scale);
    if (!isWeightFrozen_) addWeightGradient(dLogits, hidden_.narrow(0, first, count));
  }
  buffer_ = scratch_ = numerators_ = at::Tensor();
  if (options_.scale != 1) gradHidden.mul_(options_.scale);
  return gradHidden;
}

}  // namespace adaptive
