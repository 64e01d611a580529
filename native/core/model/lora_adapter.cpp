#include "core/model/lora_adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/random.h"

namespace adaptive {
namespace {

/// Rows of the weight that are widened to float32 at once.
constexpr int64_t kSlabRows = 1024;

std::unique_ptr<Parameter> makeParameter(const std::string& name, std::vector<int64_t> shape,
                                         bool transposed = false) {
  auto parameter =
      std::make_unique<Parameter>(std::vector<ParameterPart>{{name, std::move(shape), transposed}}, false);
  at::Tensor(parameter->master()).zero_();
  parameter->setDecays();
  return parameter;
}

std::unique_ptr<Parameter> makeA(const LoraTarget& target, int64_t inputs, int64_t experts) {
  switch (target.form) {
    case LoraForm::Embedding:
      return makeParameter(target.module + ".lora_embedding_B", {inputs, target.rank}, true);
    case LoraForm::Stored:
      return makeParameter(target.module + ".lora_B.weight", {inputs, target.rank}, true);
    default:
      return makeParameter(target.module + ".lora_A.weight", {target.rank * experts, inputs});
  }
}

std::unique_ptr<Parameter> makeB(const LoraTarget& target, int64_t outputs, int64_t experts) {
  switch (target.form) {
    case LoraForm::Embedding:
      return makeParameter(target.module + ".lora_embedding_A", {target.rank, outputs}, true);
    case LoraForm::Stored:
      return makeParameter(target.module + ".lora_A.weight", {target.rank, outputs}, true);
    default:
      return makeParameter(target.module + ".lora_B.weight", {outputs, target.rank * experts});
  }
}

/// The largest singular values of w and what belongs to them: U [outputs, rank], S [rank], Vᵀ [rank, inputs].
std::tuple<at::Tensor, at::Tensor, at::Tensor> largestOf(const at::Tensor& w, int64_t rank, int64_t rounds,
                                                         at::Generator& generator) {
  if (rounds < 0) {
    const auto [u, s, vh] = at::linalg_svd(w, /*full_matrices=*/false);
    return {u.narrow(1, 0, rank), s.narrow(0, 0, rank), vh.narrow(0, 0, rank)};
  }
  const bool isWide = w.size(0) < w.size(1);
  const at::Tensor tall = isWide ? w.t() : w;
  const auto basis = [](const at::Tensor& x) { return std::get<0>(at::linalg_qr(x)); };
  at::Tensor q = basis(at::mm(tall, drawnNormal(tall.size(1), rank, generator, tall)));
  for (int64_t round = 0; round < rounds; round++) q = basis(at::mm(tall, basis(at::mm(tall.t(), q))));
  const auto [small, s, vh] = at::linalg_svd(at::mm(q.t(), tall), /*full_matrices=*/false);
  const at::Tensor u = at::mm(q, small);
  if (isWide) return {vh.t(), s, u.t()};
  return {u, s, vh};
}

/// fn(first row, rows of the weight and of B in float32).
template <class F>
void forSlabs(const Parameter& weight, const WeightRows& rows, const at::Tensor& b, const F& fn) {
  for (int64_t row = 0; row < rows.count; row += kSlabRows) {
    const int64_t count = std::min(kSlabRows, rows.count - row);
    fn(row, weight.rows(rows.first + row, count, at::kFloat), b.narrow(0, row, count).to(at::kFloat));
  }
}

}  // namespace

LoraAdapter::LoraAdapter(const LoraTarget& target, int64_t firstRow, int64_t outputs, int64_t inputs,
                         int64_t number, int64_t experts)
    : a_(makeA(target, inputs, experts)),
      b_(makeB(target, outputs, experts)),
      magnitude_(target.magnitude ? makeParameter(target.module + ".lora_magnitude_vector", {outputs})
                                  : nullptr),
      form_(target.form),
      scale_(target.scale),
      dropout_(target.dropout),
      rank_(target.rank),
      firstRow_(firstRow),
      outputs_(outputs),
      number_(number),
      experts_(experts) {}

at::Tensor LoraAdapter::aOf(const at::Tensor& all, int64_t expert) const {
  return all.narrow(0, expert * rank_, rank_);
}

at::Tensor LoraAdapter::bOf(const at::Tensor& all, int64_t expert) const {
  return all.view({outputs_, rank_, experts_}).select(2, expert);
}

void LoraAdapter::takeOut(const Parameter& weight, const Decomposition& how, at::Generator& generator) {
  if (weight.isQuantized())
    fail("INVALID_INPUT", "Expected a plain weight to take an adapter out of, found ", weight.parts()[0].name,
         ", which is quantised. Let initLoraWeights be true, or open the base without quantisation.");
  if (form_ == LoraForm::Experts)
    fail("INVALID_INPUT", "Expected one matrix to take an adapter out of, found the experts' ",
         weight.parts()[0].name, ".");
  const at::Tensor target = rowsOf(weight.master()), w = target.to(at::kFloat);
  const int64_t rank = a_->master().size(0), largest = std::min(w.size(0), w.size(1));
  if (rank > largest)
    fail("INVALID_INPUT", "Expected a rank of at most ", largest, ", the smaller size of ",
         a_->parts()[0].name, ", to take the adapter out of its weight, found ", rank, ".");
  if (how.kind == Decomposition::Svd) {
    const auto [u, s, vh] = largestOf(w, rank, how.rounds, generator);
    const at::Tensor root = (s / scale_).sqrt();
    firstA_ = root.unsqueeze(1) * vh;
    firstB_ = u * root;
  } else {
    const auto [q, r] = at::linalg_qr(w);
    firstA_ = r.narrow(0, 0, rank).contiguous();
    firstB_ = q.narrow(1, 0, rank).contiguous();
  }
  target.copy_(at::addmm(w, firstB_, firstA_, 1, -scale_));
  at::Tensor(a_->master()).copy_(firstA_);
  at::Tensor(b_->master()).copy_(firstB_);
}

void LoraAdapter::share(const LoraAdapter& other) {
  shared_ = &other;
  a_->shareMaster(*other.a_);
  b_->shareMaster(*other.b_);
}

void LoraAdapter::refresh(const Parameter& weight, at::ScalarType computeType) {
  if (!magnitude_) return;
  if (!norm_.defined()) norm_ = at::empty({outputs_}, a_->master().options().dtype(at::kFloat));
  const at::Tensor a = a_->master().to(at::kFloat);
  forSlabs(weight, weightRows(), b_->master(), [&](int64_t row, const at::Tensor& w, const at::Tensor& b) {
    norm_.narrow(0, row, w.size(0)).copy_(at::linalg_vector_norm(at::addmm(w, b, a, 1, scale_), 2, 1));
  });
  rowScale_ = (magnitude_->master().to(at::kFloat) / norm_).to(computeType);
}

void LoraAdapter::takeMagnitude(const Parameter& weight) {
  if (!magnitude_) return;
  refresh(weight, at::kFloat);
  at::Tensor(magnitude_->master()).copy_(norm_);
}

at::Tensor LoraAdapter::rowNorms(const Parameter& weight) const {
  at::Tensor norms = at::empty({outputs_}, a_->master().options().dtype(at::kFloat));
  forSlabs(weight, weightRows(), b_->master(), [&](int64_t row, const at::Tensor& w, const at::Tensor&) {
    norms.narrow(0, row, w.size(0)).copy_(at::linalg_vector_norm(w, 2, 1));
  });
  return norms;
}

void LoraAdapter::mergeInto(const Parameter& weight) const {
  const at::Tensor a = a_->master().to(at::kFloat);
  if (form_ == LoraForm::Experts) {
    const at::Tensor b = b_->master().to(at::kFloat);
    for (int64_t e = 0; e < experts_; e++) {
      const at::Tensor w = weight.master()[e];
      w.copy_(at::addmm(w.to(at::kFloat), bOf(b, e), aOf(a, e), 1, scale_));
    }
    return;
  }
  const at::Tensor target = rowsOf(weight.master());
  forSlabs(weight, weightRows(), b_->master(), [&](int64_t row, const at::Tensor& w, const at::Tensor& b) {
    at::Tensor sum = at::addmm(w, b, a, 1, scale_);
    if (magnitude_) {
      const at::Tensor length = at::linalg_vector_norm(sum, 2, 1);
      const at::Tensor wanted = magnitude_->master().narrow(0, row, w.size(0)).to(at::kFloat);
      sum.mul_((wanted / length).unsqueeze(1));
    }
    target.narrow(0, row, w.size(0)).copy_(sum);
  });
}

}  // namespace adaptive
