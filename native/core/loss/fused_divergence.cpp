#include "core/loss/fused_divergence.h"

#include <ATen/ATen.h>

#include "core/expect.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"

namespace adaptive {
namespace {

using at::Tensor;

/// Rows of a head that are widened at once.
constexpr int64_t kSlab = 4096;

void checkOperands(const HeadOperands& model, const HeadOperands& base) {
  const auto fits = [](const HeadOperands& o) {
    return o.hidden.dim() == 2 && o.weight.dim() == 2 && o.hidden.size(1) == o.weight.size(1);
  };
  const auto type = model.hidden.scalar_type();
  const bool narrow = base.weight.scalar_type() == at::kBFloat16;
  if (fits(model) && fits(base) && model.hidden.sizes() == base.hidden.sizes() &&
      model.weight.sizes() == base.weight.sizes() && model.weight.size(0) > 0 &&
      model.weight.scalar_type() == type && base.hidden.scalar_type() == type &&
      (base.weight.scalar_type() == type || narrow))
    return;
  fail("INVALID_INPUT",
       "Expected hidden [n, width] and weight [vocab, width] of one type, alike for model and base, found ",
       model.hidden.scalar_type(), " ", model.hidden.sizes(), ", ", model.weight.scalar_type(), " ",
       model.weight.sizes(), ", ", base.hidden.scalar_type(), " ", base.hidden.sizes(), " and ",
       base.weight.scalar_type(), " ", base.weight.sizes(), ".");
}

/// out = hidden·weightᵀ by slabs of the vocabulary: the same products for both models, whatever type the
/// base's head is kept in, so that equal operands give equal logits.
void logitsInto(const Tensor& out, const Tensor& hidden, const HeadOperands& head, int64_t slab, double cap,
                const LowRankTerm& addition = {}, int64_t firstToken = 0) {
  for (int64_t first = 0; first < head.weight.size(0); first += slab) {
    const int64_t count = std::min(slab, head.weight.size(0) - first);
    const Tensor rows = head.weight.narrow(0, first, count).to(hidden.scalar_type());
    ops::productInto(out.narrow(1, first, count), hidden, rows.t());
  }
  if (addition) addition.addTo(out, firstToken);
  if (head.bias.defined()) out.add_(head.bias);
  if (cap > 0) ops::softCap_(out, cap);
}

/// Of the float32 divergences of tokens, the first of which is token `first`.
double sumOf(const Tensor& there, int64_t first) {
  const Tensor divergences = there.cpu();
  double sum = 0;
  for (int64_t i = 0; i < divergences.numel(); i++) {
    const float value = divergences.const_data_ptr<float>()[i];
    if (!std::isfinite(value))
      fail("LOSS_NOT_FINITE", "Expected a finite divergence from the base model, found ", value,
           " at retained token ", first + i, ". A lower learningRate or maxGradNorm usually helps.");
    sum += value;
  }
  return sum;
}

}  // namespace

Divergence fusedDivergence(const HeadOperands& model, const HeadOperands& base, double weight,
                           ChunkOptions options, const LogitOptions& logits,
                           const AddOuter& addWeightGradient) {
  at::NoGradGuard noGrad;
  checkOperands(model, base);
  checkHeadBias(model.bias, model.weight);
  checkHeadBias(base.bias, base.weight);
  expectFinite("the scale of the logits", logits.scale);
  expectNotNegative("the cap of the logits", logits.cap);
  expectNotNegative("the weight of the divergence", weight);
  const auto scaled = [&](const Tensor& hidden) {
    return logits.scale == 1 ? hidden.contiguous() : hidden * logits.scale;
  };
  const Tensor hidden = scaled(model.hidden), baseHidden = scaled(base.hidden);
  LowRankTerm addition = model.addition;
  if (addition) addition.low = scaled(addition.low);
  const int64_t tokens = hidden.size(0), vocab = model.weight.size(0);
  const LogitForm form(hidden);
  const int64_t chunk = chunkTokens(tokens, 2 * vocab * form.bytes, options, form.memory);
  const bool widens = base.weight.scalar_type() != hidden.scalar_type();
  const int64_t slab = widens ? kSlab : vocab;
  const Tensor buffer = at::empty({std::min(chunk, tokens), vocab}, hidden.options().dtype(form.type)),
               baseBuffer = at::empty_like(buffer);
  Divergence out{0, tokens, weight > 0 ? at::empty_like(hidden) : Tensor(), {}};
  for (int64_t first = 0; first < tokens; first += chunk) {
    const int64_t count = std::min(chunk, tokens - first);
    const Tensor z = buffer.narrow(0, 0, count), z0 = baseBuffer.narrow(0, 0, count);
    logitsInto(z, hidden.narrow(0, first, count), model, slab, logits.cap, addition, first);
    logitsInto(z0, baseHidden.narrow(0, first, count), base, slab, logits.cap);
    // Before its gradient goes anywhere: of a chunk that is not finite nothing is gathered.
    out.sum += sumOf(ops::divergence_(z, z0, weight, logits.cap), first);
    if (weight <= 0) continue;
    const ops::LogitGradient dLogits(z.to(hidden.scalar_type()));
    dLogits.timesInto(out.gradHidden.narrow(0, first, count), model.weight);
    if (addition) addition.goBack(dLogits, first, logits.scale);
    addWeightGradient(dLogits, hidden.narrow(0, first, count));
  }
  out.gradLow = addition.gradLow;
  if (weight > 0 && logits.scale != 1) out.gradHidden.mul_(logits.scale);
  return out;
}

}  // namespace adaptive
