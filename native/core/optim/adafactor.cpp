#include "core/optim/adafactor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/ops/ops.h"
#include "core/optim/float_slabs.h"

namespace adaptive {
namespace {

constexpr double kEps = 1e-30, kClippingThreshold = 1.0, kDecayRate = -0.8;

/// What an update of root mean square √(squares/count) is divided by.
double clippingOf(double squares, int64_t count) {
  return std::max(1.0, std::sqrt(squares / static_cast<double>(count)) / kClippingThreshold);
}

double squaresOf(const at::Tensor& t) {
  const double norm = at::linalg_vector_norm(t).item<double>();
  return norm * norm;
}

}  // namespace

Adafactor::Adafactor(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  for (const auto& [parameter, part] : slots()) {
    const auto type = parameter->master().options().dtype(at::kFloat);
    const at::Tensor weight = Parameter::rowsOf(parameter->master(), *part);
    const bool isMatrix = weight.dim() > 1;
    rows_.push_back(isMatrix ? at::zeros({weight.size(0)}, type) : at::Tensor());
    columns_.push_back(isMatrix ? at::zeros({weight.size(1)}, type) : at::Tensor());
    whole_.push_back(isMatrix ? at::Tensor() : at::zeros(weight.sizes(), type));
  }
}

void Adafactor::update(const Update& u) {
  const double beta2 = 1 - std::pow(static_cast<double>(steps()), kDecayRate);
  if (rows_[u.slot].defined()) {
    updateMatrix(u, beta2);
  } else {
    updateVector(u, beta2);
  }
}

void Adafactor::updateVector(const Update& u, double beta2) {
  const at::Tensor g = u.gradient * u.gradientScale;
  whole_[u.slot].mul_(beta2).add_(g.square().add_(kEps), 1 - beta2);
  const at::Tensor step = whole_[u.slot].rsqrt().mul_(g);
  step.mul_(u.learningRate / clippingOf(squaresOf(step), step.numel()));
  forFloatSlabs(u.weight, u.noise, [&](const at::Tensor& weight, int64_t first, int64_t count) {
    weight.mul_(1 - u.learningRate * u.weightDecay).sub_(step.narrow(0, first, count));
  });
}

// Three sweeps over slabs of rows (moments, size of the update, update), so that no temporary is as large as
// the matrix.
void Adafactor::updateMatrix(const Update& u, double beta2) {
  const int64_t rows = u.weight.size(0), width = u.weight.size(1);
  const int64_t slab = std::max<int64_t>(1, (int64_t{1} << 20) / width);
  const auto forSlabs = [&](const auto& f) {
    for (int64_t row = 0; row < rows; row += slab) {
      const int64_t count = std::min(slab, rows - row);
      f(row, count, u.gradient.narrow(0, row, count) * u.gradientScale);
    }
  };
  at::Tensor &rowMeans = rows_[u.slot], &columnMeans = columns_[u.slot];
  const at::Tensor columnSums = at::zeros_like(columnMeans);
  forSlabs([&](int64_t row, int64_t count, at::Tensor g) {
    const at::Tensor squares = g.square_().add_(kEps);
    rowMeans.narrow(0, row, count).mul_(beta2).add_(squares.mean(1), 1 - beta2);
    columnSums.add_(squares.sum(0));
  });
  columnMeans.mul_(beta2).add_(columnSums, (1 - beta2) / static_cast<double>(rows));
  const at::Tensor rowFactor = rowMeans.div(rowMeans.mean()).rsqrt_().unsqueeze(1),
                   columnFactor = columnMeans.rsqrt();
  const auto step = [&](int64_t row, int64_t count, at::Tensor g) {
    return g.mul_(rowFactor.narrow(0, row, count)).mul_(columnFactor);
  };
  double squares = 0;
  forSlabs(
      [&](int64_t row, int64_t count, const at::Tensor& g) { squares += squaresOf(step(row, count, g)); });
  const double rate = u.learningRate / clippingOf(squares, u.weight.numel());
  forSlabs([&](int64_t row, int64_t count, const at::Tensor& g) {
    const at::Tensor target = u.weight.narrow(0, row, count), weight = target.to(at::kFloat);
    weight.mul_(1 - u.learningRate * u.weightDecay).sub_(step(row, count, g), rate);
    if (target.scalar_type() == at::kBFloat16)
      ops::roundStochastically_(target, weight, u.noise, row * width);
  });
}

std::vector<std::pair<std::string, at::Tensor>> Adafactor::state() {
  auto all = named(".exp_avg_sq_row", rows_);
  for (auto& entry : named(".exp_avg_sq_col", columns_)) all.push_back(std::move(entry));
  for (auto& entry : named(".exp_avg_sq", whole_)) all.push_back(std::move(entry));
  return all;
}

}  // namespace adaptive
