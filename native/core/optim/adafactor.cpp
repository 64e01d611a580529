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

using Sizes = std::vector<int64_t>;

/// Those of the weight without its last dimension, and without the last but one.
std::pair<Sizes, Sizes> momentSizes(const at::Tensor& weight) {
  Sizes rows = weight.sizes().vec(), columns = rows;
  rows.pop_back();
  columns.erase(columns.end() - 2);
  return {rows, columns};
}

double squaresOf(const at::Tensor& t) {
  const double norm = at::linalg_vector_norm(t).item<double>();
  return norm * norm;
}

}  // namespace

Adafactor::Adafactor(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  for (const Slot& slot : slots()) {
    const at::Tensor weight = Parameter::rowsOf(slot.parameter->master(), *slot.part);
    const bool isMatrix = weight.dim() > 1;
    const auto [rows, columns] = isMatrix ? momentSizes(weight) : std::pair<Sizes, Sizes>();
    rows_.push_back(isMatrix ? withoutPlace(rows) : at::Tensor());
    columns_.push_back(isMatrix ? withoutPlace(columns) : at::Tensor());
    whole_.push_back(isMatrix ? at::Tensor() : withoutPlace(weight.sizes()));
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
// the matrix. The weights of experts are as many matrices, whose update is clipped as one.
void Adafactor::updateMatrix(const Update& u, double beta2) {
  const int64_t width = u.weight.size(-1), rows = u.weight.size(-2), all = u.weight.numel() / width;
  const at::Tensor weights = u.weight.view({all, width}), gradients = u.gradient.view({all, width});
  const int64_t slab = std::max<int64_t>(1, (int64_t{1} << 20) / width);
  const auto forSlabs = [&](const auto& f) {
    for (int64_t row = 0; row < all;) {
      // Not past the end of a matrix.
      const int64_t count = std::min(slab, rows - row % rows);
      f(row, count, gradients.narrow(0, row, count) * u.gradientScale);
      row += count;
    }
  };
  const at::Tensor rowMeans = rows_[u.slot].view({-1, rows}),
                   columnMeans = columns_[u.slot].view({-1, width});
  const at::Tensor columnSums = at::zeros_like(columnMeans);
  forSlabs([&](int64_t row, int64_t count, at::Tensor g) {
    const at::Tensor squares = g.square_().add_(kEps);
    rowMeans.view(-1).narrow(0, row, count).mul_(beta2).add_(squares.mean(1), 1 - beta2);
    columnSums[row / rows].add_(squares.sum(0));
  });
  columnMeans.mul_(beta2).add_(columnSums, (1 - beta2) / static_cast<double>(rows));
  const at::Tensor rowFactor = rowMeans.div(rowMeans.mean(1, /*keepdim=*/true)).rsqrt_().view({-1, 1}),
                   columnFactor = columnMeans.rsqrt();
  const auto step = [&](int64_t row, int64_t count, at::Tensor g) {
    return g.mul_(rowFactor.narrow(0, row, count)).mul_(columnFactor[row / rows]);
  };
  double squares = 0;
  forSlabs(
      [&](int64_t row, int64_t count, const at::Tensor& g) { squares += squaresOf(step(row, count, g)); });
  const double rate = u.learningRate / clippingOf(squares, u.weight.numel());
  forSlabs([&](int64_t row, int64_t count, const at::Tensor& g) {
    const at::Tensor target = weights.narrow(0, row, count), weight = target.to(at::kFloat);
    weight.mul_(1 - u.learningRate * u.weightDecay).sub_(step(row, count, g), rate);
    if (target.scalar_type() == at::kBFloat16)
      ops::roundStochastically_(target, weight, u.noise, row * width);
  });
}

std::vector<StateTensor> Adafactor::statesOf(size_t slot) {
  if (whole_[slot].defined()) return {{&whole_[slot]}};
  return {{&rows_[slot]}, {&columns_[slot]}};
}

std::vector<std::pair<std::string, at::Tensor>> Adafactor::namedState() {
  auto all = named(".exp_avg_sq_row", rows_);
  for (auto& entry : named(".exp_avg_sq_col", columns_)) all.push_back(std::move(entry));
  for (auto& entry : named(".exp_avg_sq", whole_)) all.push_back(std::move(entry));
  return all;
}

}  // namespace adaptive
