#include "core/loss/array_loss.h"

#include <ATen/ATen.h>

#include "core/expect.h"
#include "core/finite.h"
#include "core/loss/fused_linear_loss.h"
#include "core/ops/product.h"

namespace adaptive {
namespace {

/// Divided rather than multiplied: a product that wraps around must not pass for a match.
void expectLength(const char* name, size_t found, int64_t rows, int64_t width) {
  const auto length = static_cast<int64_t>(found);
  if (length % width == 0 && length / width == rows) return;
  fail("INVALID_INPUT", "Expected ", rows, " x ", width, " values in ", name, ", found ", found, ".");
}

/// "row 1, position 2" of an index into [rows, seq].
std::string positionOf(int64_t index, int64_t seq) {
  return "row " + std::to_string(index / seq) + ", position " + std::to_string(index % seq);
}

void checkLengths(const ArrayLossRequest& r) {
  expectInteger("rows", r.rows, 1, kLargestSize);
  expectInteger("seq", r.seq, 1, kLargestSize);
  expectInteger("hiddenSize", r.hiddenSize, 1, kLargestSize);
  expectInteger("vocabSize", r.vocabSize, 1, kLargestSize);
  expectLength("labels", r.labels.size(), r.rows, r.seq);
  expectLength("hidden", r.hidden.size(), r.rows * r.seq, r.hiddenSize);
  expectLength("weight", r.weight.size(), r.vocabSize, r.hiddenSize);
  expectLength("styles", r.styles.size(), r.rows, 1);
}

void checkFinite(const ArrayLossRequest& r) {
  const int64_t inHidden = firstNonFinite(r.hidden.data(), static_cast<int64_t>(r.hidden.size()));
  if (inHidden >= 0) {
    fail("INVALID_INPUT", "Expected finite numbers in hidden, found ", r.hidden[inHidden], " in ",
         positionOf(inHidden / r.hiddenSize, r.seq), ", column ", inHidden % r.hiddenSize, ".");
  }
  const int64_t inWeight = firstNonFinite(r.weight.data(), static_cast<int64_t>(r.weight.size()));
  if (inWeight >= 0) {
    fail("INVALID_INPUT", "Expected finite numbers in weight, found ", r.weight[inWeight], " in row ",
         inWeight / r.hiddenSize, ", column ", inWeight % r.hiddenSize, ".");
  }
}

void checkStatistics(const ArrayLossRequest& r, const LabelledTokens& tokens,
                     const TokenStatistics& statistics) {
  for (int64_t i = 0; i < tokens.size(); i++) {
    if (std::isfinite(statistics.nll[i]) && std::isfinite(statistics.entropy[i])) continue;
    fail("LOSS_NOT_FINITE", "Expected finite logits, found others in ",
         positionOf(tokens.positions[i], r.seq), ": the product of hidden and weight leaves the range of ",
         r.bfloat16 ? "bfloat16" : "float32", ". Smaller hidden states or weights help.");
  }
}

void expectFiniteGradient(const char* name, const at::Tensor& gradient) {
  const int64_t wild = firstNonFinite(gradient.const_data_ptr<float>(), gradient.numel());
  if (wild < 0) return;
  fail("LOSS_NOT_FINITE", "Expected a finite gradient, found ", gradient.const_data_ptr<float>()[wild],
       " in row ", wild / gradient.size(1), ", column ", wild % gradient.size(1), " of ", name,
       ". Smaller hidden states or weights help.");
}

std::vector<int64_t> evenRows(int64_t rows, int64_t seq) {
  std::vector<int64_t> cuSeqlens;
  for (int64_t row = 0; row <= rows; row++) cuSeqlens.push_back(row * seq);
  return cuSeqlens;
}

at::Tensor matrixOf(const std::vector<float>& values, int64_t rows, int64_t width) {
  return at::from_blob(const_cast<float*>(values.data()), {rows, width}, at::kFloat);
}

}  // namespace

ArrayLoss arrayLoss(const ArrayLossRequest& r) {
  checkLengths(r);
  checkLossRequest(r.loss);
  checkFinite(r);
  ArrayLoss out;
  out.tokens = labelledTokens(r.labels, evenRows(r.rows, r.seq), r.styles, r.demarcation, r.vocabSize);
  at::NoGradGuard noGrad;
  const at::ScalarType type = r.bfloat16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor hidden = matrixOf(r.hidden, r.rows * r.seq, r.hiddenSize);
  const at::Tensor positions = at::tensor(out.tokens.positions, at::kLong);
  FusedLinearLoss loss(
      hidden.index_select(0, positions).to(type), matrixOf(r.weight, r.vocabSize, r.hiddenSize).to(type),
      at::tensor(out.tokens.labels, at::kInt), r.training ? LossGradients::Both : LossGradients::None,
      {.tokens = r.chunkTokens}, {}, statisticsFor(r.loss));
  out.statistics = loss.statistics();
  checkStatistics(r, out.tokens, out.statistics);
  std::vector<float> weights;
  out.report = lossReport(out.statistics, out.tokens, r.loss, &weights);
  if (!r.training) {
    out.report.bias = r.loss.bias;
    return out;
  }
  out.gradHidden = at::zeros_like(hidden);
  out.gradWeight = at::zeros({r.vocabSize, r.hiddenSize}, at::kFloat);
  const auto add = [&](const ops::LogitGradient& dLogits, const at::Tensor& chunk) {
    ops::addOuter(out.gradWeight, dLogits.values(), chunk, /*first=*/false);
  };
  out.gradHidden.index_copy_(0, positions, loss.backward(weights, add).to(at::kFloat));
  expectFiniteGradient("the gradient of hidden", out.gradHidden);
  expectFiniteGradient("the gradient of weight", out.gradWeight);
  return out;
}

}  // namespace adaptive
