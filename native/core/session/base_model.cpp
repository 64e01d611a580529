#include "core/session/base_model.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/expect.h"
#include "core/ops/ops.h"

namespace adaptive {
namespace {

/// Rows of a head that are compared at once.
constexpr int64_t kSlab = 4096;

bool fitsBfloat16(const at::Tensor& weight) {
  for (int64_t first = 0; first < weight.size(0); first += kSlab) {
    const at::Tensor rows = weight.narrow(0, first, std::min(kSlab, weight.size(0) - first));
    if (!rows.to(at::kBFloat16).to(rows.scalar_type()).equal(rows)) return false;
  }
  return true;
}

int64_t lengthOf(const std::vector<int64_t>& cuSeqlens, int64_t row) {
  return cuSeqlens[row + 1] - cuSeqlens[row];
}

}  // namespace

void BaseModel::keepHead(Decoder& decoder) {
  decoder.expectWeights();
  head_ = headBias_ = at::Tensor();
  if (!decoder.trainsHead()) return;
  at::NoGradGuard noGrad;
  const Decoder::AdapterOff off(decoder);
  const at::Tensor weight = decoder.head().compute();
  head_ = fitsBfloat16(weight) ? weight.to(at::kBFloat16, false, /*copy=*/true) : weight.clone();
  if (decoder.headBias()) headBias_ = decoder.headBias()->compute().clone();
}

at::Tensor BaseModel::head(Decoder& decoder) const {
  if (head_.defined()) return head_;
  if (decoder.trainsHead()) fail("INVALID_INPUT", "Expected keepBase() before rows to retain.");
  return decoder.head().compute();
}

at::Tensor BaseModel::headBias(Decoder& decoder) const {
  if (headBias_.defined() || !decoder.headBias()) return headBias_;
  return decoder.headBias()->compute();
}

int64_t BaseModel::addRows(const Decoder& decoder, const std::string& path, const StoredTensor& stored,
                           std::vector<int64_t> cuSeqlens) {
  auto file = std::make_unique<MappedFile>(path);
  const at::Tensor hidden = viewStored(*file, stored);
  const bool grows =
      cuSeqlens.size() > 1 && cuSeqlens.front() == 0 &&
      std::adjacent_find(cuSeqlens.begin(), cuSeqlens.end(), std::greater_equal<>()) == cuSeqlens.end();
  if (!grows) fail("INVALID_INPUT", "Expected cuSeqlens from 0 upwards with at least one row.");
  if (hidden.dim() != 2 || hidden.size(0) != cuSeqlens.back() ||
      hidden.size(1) != decoder.config().hiddenSize || hidden.scalar_type() != decoder.computeType()) {
    fail("INVALID_INPUT", "Expected hidden states ", decoder.computeType(), " [", cuSeqlens.back(), ", ",
         decoder.config().hiddenSize, "] in ", path, ", found ", hidden.scalar_type(), " ", hidden.sizes(),
         ".");
  }
  stores_.push_back({std::move(file), hidden, std::move(cuSeqlens)});
  return static_cast<int64_t>(stores_.size()) - 1;
}

at::Tensor BaseModel::hiddenStates(Decoder& decoder, const FlatBatch& batch, const RetainedRows& rows) const {
  at::NoGradGuard noGrad;
  if (rows.store < 0) return decoder.hiddenStatesOfBase(batch);
  expectInteger("the store of retained rows", rows.store, 0, static_cast<int64_t>(stores_.size()) - 1);
  const Store& store = stores_[rows.store];
  expectInteger("the number of retained rows", static_cast<int64_t>(rows.rows.size()), 1,
                static_cast<int64_t>(batch.cuSeqlens.size()) - 1);
  const int64_t tokens = batch.cuSeqlens.back(), width = store.hidden.size(1);
  const int64_t bytes = tokens * width * static_cast<int64_t>(store.hidden.element_size());
  const at::Tensor hidden =
      ops::hostBytes(decoder.head().compute(), bytes).view(store.hidden.scalar_type()).view({tokens, width});
  for (size_t i = 0; i < rows.rows.size(); i++) {
    const int64_t row = rows.rows[i], length = lengthOf(batch.cuSeqlens, static_cast<int64_t>(i));
    expectInteger("a retained row", row, 0, static_cast<int64_t>(store.cuSeqlens.size()) - 2);
    expectInteger("the tokens of retained row " + std::to_string(row), length, lengthOf(store.cuSeqlens, row),
                  lengthOf(store.cuSeqlens, row));
    hidden.narrow(0, batch.cuSeqlens[i], length).copy_(store.hidden.narrow(0, store.cuSeqlens[row], length));
  }
  return hidden.to(decoder.device(), /*non_blocking=*/true);
}

}  // namespace adaptive
