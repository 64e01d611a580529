#include "core/model/lora_adapter.h"

#include <ATen/ATen.h>

namespace adaptive {
namespace {

/// Rows of the weight that are widened to float32 at once.
constexpr int64_t kSlabRows = 1024;

std::unique_ptr<Parameter> makeParameter(const std::string& name, std::vector<int64_t> shape) {
  auto parameter = std::make_unique<Parameter>(std::vector<ParameterPart>{{name, std::move(shape)}}, false);
  at::Tensor(parameter->master()).zero_();
  return parameter;
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
                         int64_t number)
    : a_(makeParameter(target.module + ".lora_A.weight", {target.rank, inputs})),
      b_(makeParameter(target.module + ".lora_B.weight", {outputs, target.rank})),
      magnitude_(target.magnitude ? makeParameter(target.module + ".lora_magnitude_vector", {outputs})
                                  : nullptr),
      scale_(target.scale),
      dropout_(target.dropout),
      firstRow_(firstRow),
      outputs_(outputs),
      number_(number) {}

void LoraAdapter::refresh(const Parameter& weight, at::ScalarType computeType) {
  if (!magnitude_) return;
  if (!norm_.defined()) norm_ = at::empty({outputs_}, at::kFloat);
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
  at::Tensor norms = at::empty({outputs_}, at::kFloat);
  forSlabs(weight, weightRows(), b_->master(), [&](int64_t row, const at::Tensor& w, const at::Tensor&) {
    norms.narrow(0, row, w.size(0)).copy_(at::linalg_vector_norm(w, 2, 1));
  });
  return norms;
}

void LoraAdapter::mergeInto(const Parameter& weight) const {
  const at::Tensor a = a_->master().to(at::kFloat);
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
