#include "core/model/parameter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/ops/ops.h"
#include "core/ops/product.h"

namespace adaptive {
namespace {

/// Entries that are looked at in another type at once.
constexpr int64_t kSlabEntries = int64_t{1} << 20;

}  // namespace

Parameter::Parameter(std::vector<ParameterPart> parts, bool isNorm)
    : parts_(std::move(parts)), isNorm_(isNorm) {
  int64_t rows = 0;
  for (auto& part : parts_) {
    part.firstRow = rows;
    rows += part.rows();
  }
  auto shape = parts_[0].shape;
  if (parts_[0].transposed) std::swap(shape.end()[-2], shape.end()[-1]);
  shape[0] = rows;
  master_ = at::empty(shape, at::kFloat);
  compute_ = master_;
  findRuns();
}

void Parameter::findRuns() {
  runs_.clear();
  gradientRows_ = 0;
  for (auto& part : parts_) {
    if (!trains(part)) continue;
    part.gradientRow = gradientRows_;
    const bool follows = !runs_.empty() && runs_.back().firstRow + runs_.back().rows == part.firstRow;
    if (follows) {
      runs_.back().rows += part.rows();
    } else {
      runs_.push_back({part.firstRow, part.rows(), gradientRows_});
    }
    gradientRows_ += part.rows();
  }
}

std::vector<int64_t> Parameter::gradientShape() const {
  std::vector<int64_t> shape = master_.sizes().vec();
  shape[0] = gradientRows_;
  return shape;
}

int64_t Parameter::gradientSize() const { return c10::multiply_integers(gradientShape()); }

at::Tensor Parameter::gradientOf(const ParameterPart& part) const {
  if (!hasGradient_ || !trains(part)) return {};
  return gradient_.narrow(0, part.gradientRow, part.rows());
}

at::Tensor Parameter::rowsOf(const at::Tensor& tensor, const ParameterPart& part) {
  return tensor.narrow(0, part.firstRow, part.rows());
}

at::Tensor Parameter::asStored(const at::Tensor& tensor, const ParameterPart& part) {
  const at::Tensor rows = rowsOf(tensor, part);
  return part.transposed ? rows.transpose(-2, -1) : rows;
}

void Parameter::reserveGradient() {
  if (gradient_.defined()) return;
  gradient_ = at::empty(gradientShape(), compute_.options().dtype(at::kFloat));
}

at::Tensor& Parameter::gradientToAddTo() {
  reserveGradient();
  if (!hasGradient_) gradient_.zero_();
  hasGradient_ = true;
  return gradient_;
}

std::optional<at::Tensor> Parameter::gradientTarget() {
  return trainable() ? std::optional(gradientToAddTo()) : std::nullopt;
}

void Parameter::setTrainable(bool on) {
  trainOnly([on](const std::string&) { return on; });
}

void Parameter::trainOnly(const std::function<bool(const std::string& name)>& isTrained) {
  trainable_ = false;
  for (auto& part : parts_) {
    part.besideAdapter = isTrained(part.name) && !isQuantized();
    trainable_ = trainable_ || part.besideAdapter;
  }
  findRuns();
  clearGradient();
}

void Parameter::quantize(const std::function<std::optional<Quantization>(const ParameterPart&)>& how) {
  std::vector<Piece> pieces;
  bool any = false;
  const at::Device device = this->device();
  for (const ParameterPart& part : parts_) {
    const auto own = how(part);
    any = any || own;
    if (own) {
      pieces.push_back({std::make_unique<QuantizedMatrix>(*own, part.rows(), master_.size(1)), {}});
      pieces.back().matrix->moveTo(device);
    } else {
      pieces.push_back({nullptr, at::empty({part.rows(), master_.size(1)}, master_.options())});
    }
  }
  if (!any) return;
  pieces_ = std::move(pieces);
  master_ = compute_ = at::empty(master_.sizes(), master_.options().device(at::kMeta));
  setTrainable(false);
}

void Parameter::dequantize(at::ScalarType dtype) {
  if (!isQuantized()) return;
  const at::Tensor plain = at::empty(master_.sizes(), at::TensorOptions().dtype(dtype).device(device()));
  read(plain, 0, 0, scales());
  pieces_.clear();
  master_ = compute_ = plain;
}

at::Device Parameter::device() const {
  // A master that was released, and both of a quantised weight, are of the meta device.
  if (!isQuantized()) return compute_.device();
  return pieces_[0].matrix ? pieces_[0].matrix->device() : pieces_[0].plain.device();
}

QuantizedMatrix* Parameter::quantized(const ParameterPart& part) const {
  return isQuantized() ? pieces_[&part - parts_.data()].matrix.get() : nullptr;
}

at::Tensor Parameter::stored(const ParameterPart& part) const {
  if (!isQuantized()) return asStored(master_, part);
  const at::Tensor& rows = pieces_[&part - parts_.data()].plain;
  return rows.defined() && part.transposed ? rows.t() : rows;
}

std::vector<at::Tensor> Parameter::scales() const {
  std::vector<at::Tensor> all;
  for (const Piece& piece : pieces_) all.push_back(piece.matrix ? piece.matrix->scales() : at::Tensor());
  return all;
}

void Parameter::read(at::Tensor out, int64_t firstRow, int64_t firstColumn,
                     const std::vector<at::Tensor>& scales) const {
  const int64_t lastRow = firstRow + out.size(0), width = out.size(1);
  if (!isQuantized()) {
    out.copy_(master_.narrow(0, firstRow, out.size(0)).narrow(1, firstColumn, width));
    return;
  }
  for (size_t p = 0; p < parts_.size(); p++) {
    const int64_t begin = std::max(firstRow, parts_[p].firstRow),
                  end = std::min(lastRow, parts_[p].firstRow + parts_[p].rows());
    if (begin >= end) continue;
    const at::Tensor target = out.narrow(0, begin - firstRow, end - begin);
    const int64_t row = begin - parts_[p].firstRow;
    if (const auto& matrix = pieces_[p].matrix) {
      matrix->dequantize(target, row, firstColumn, scales[p]);
    } else {
      target.copy_(pieces_[p].plain.narrow(0, row, end - begin).narrow(1, firstColumn, width));
    }
  }
}

at::Tensor Parameter::rows(int64_t firstRow, int64_t count, at::ScalarType dtype) const {
  if (!isQuantized()) return master_.narrow(0, firstRow, count).to(dtype);
  const at::Tensor out =
      at::empty({count, master_.size(1)}, at::TensorOptions().dtype(dtype).device(device()));
  read(out, firstRow, 0, scales());
  return out;
}

int64_t Parameter::weightBytes() const {
  int64_t bytes = 0;
  for (const Piece& piece : pieces_)
    bytes += piece.matrix ? piece.matrix->bytes() : static_cast<int64_t>(piece.plain.nbytes());
  if (isQuantized()) return bytes;
  if (isMasterReleased()) return static_cast<int64_t>(compute_.nbytes());
  bytes = static_cast<int64_t>(master_.nbytes());
  return compute_.is_same(master_) ? bytes : bytes + static_cast<int64_t>(compute_.nbytes());
}

void Parameter::freeze(const std::function<bool(const std::string& name)>& isFrozen) {
  for (auto& part : parts_) part.frozen = isFrozen(part.name);
  findRuns();
  clearGradient();
}

void Parameter::accumulateOuter(const at::Tensor& dy, const at::Tensor& x, double scale) {
  if (!trainable()) return;
  reserveGradient();
  for (const Run& run : runs_) {
    ops::addOuter(gradient_.narrow(0, run.gradientRow, run.rows), dy.narrow(1, run.firstRow, run.rows), x,
                  !hasGradient_, scale);
  }
  hasGradient_ = true;
}

void Parameter::accumulateOuter(const ops::LogitGradient& dy, const at::Tensor& x) {
  if (!trainable()) return;
  accumulateOuter(dy.values(), dy.scaled(x), dy.unit());
  for (const auto& [ids, rows] : dy.points(x)) {
    for (const Run& run : runs_) {
      // Rows of others are added as zeros.
      const at::Tensor own = ids - run.firstRow, isOwn = own.ge(0).logical_and_(own.lt(run.rows));
      ops::addRows_(gradient_.narrow(0, run.gradientRow, run.rows), own.clamp(0, run.rows - 1),
                    rows * isOwn.unsqueeze(1), 1);
    }
  }
}

void Parameter::accumulateOuter(const at::Tensor& dy, const at::Tensor& x,
                                const std::vector<int64_t>& firstRow) {
  if (!trainable()) return;
  reserveGradient();
  for (size_t e = 0; e + 1 < firstRow.size(); e++) {
    at::Tensor own = gradient_.select(0, static_cast<int64_t>(e));
    const int64_t first = firstRow[e], count = firstRow[e + 1] - first;
    if (count > 0) {
      ops::addOuter(own, dy.narrow(0, first, count), x.narrow(0, first, count), !hasGradient_);
    } else if (!hasGradient_) {
      own.zero_();
    }
  }
  hasGradient_ = true;
}

void Parameter::accumulate(const at::Tensor& dWeight) {
  if (!trainable()) return;
  reserveGradient();
  for (const Run& run : runs_) {
    const at::Tensor target = gradient_.narrow(0, run.gradientRow, run.rows),
                     dRows = dWeight.narrow(0, run.firstRow, run.rows);
    if (hasGradient_) {
      target.add_(dRows);
    } else {
      target.copy_(dRows);
    }
  }
  hasGradient_ = true;
}

void Parameter::replace(const at::Tensor& rows) {
  parts_.at(0).shape[0] = rows.size(0);
  const at::ScalarType dtype = compute_.scalar_type();
  master_ = compute_ = rows;
  findRuns();
  clearGradient();
  refreshCompute(dtype);
}

int64_t Parameter::gradientBytes() const {
  return gradient_.defined() ? static_cast<int64_t>(gradient_.nbytes()) : 0;
}

void Parameter::clearGradient() {
  gradient_ = at::Tensor();
  hasGradient_ = false;
}

bool Parameter::fits(at::ScalarType dtype) const {
  if (master_.scalar_type() == dtype || dtype == at::kFloat) return true;
  const int64_t width = master_.numel() / std::max<int64_t>(1, master_.size(0));
  const int64_t slab = std::max<int64_t>(1, kSlabEntries / std::max<int64_t>(1, width));
  for (int64_t row = 0; row < master_.size(0); row += slab) {
    const at::Tensor rows = master_.narrow(0, row, std::min(slab, master_.size(0) - row));
    if (!rows.to(dtype).to(rows.scalar_type()).equal(rows)) return false;
  }
  return true;
}

void Parameter::moveTo(at::Device device, bool keepsValues) {
  if (this->device() == device) return;
  const auto moved = [&](const at::Tensor& weight) {
    return keepsValues ? weight.to(device) : at::empty_like(weight, weight.options().device(device));
  };
  for (Piece& piece : pieces_) {
    if (piece.matrix) {
      piece.matrix->moveTo(device);
    } else {
      piece.plain = moved(piece.plain);
    }
  }
  if (isQuantized()) return;
  const bool shares = compute_.is_same(master_);
  master_ = moved(master_);
  compute_ = shares ? master_ : moved(compute_);
  clearGradient();
}

void Parameter::setMasterType(at::ScalarType dtype, bool keepsValues) {
  if (isNorm_ || master_.scalar_type() == dtype) return;
  for (Piece& piece : pieces_)
    if (!piece.matrix)
      piece.plain = keepsValues ? piece.plain.to(dtype) : at::empty_like(piece.plain, at::dtype(dtype));
  master_ = keepsValues ? master_.to(dtype) : at::empty(master_.sizes(), master_.options().dtype(dtype));
  compute_ = master_;
}

void Parameter::releaseMaster() {
  if (!compute_.is_same(master_)) master_ = at::empty(master_.sizes(), master_.options().device(at::kMeta));
}

void Parameter::refreshCompute(at::ScalarType dtype) {
  if (isMasterReleased()) return;
  if (isNorm_ || isQuantized() || dtype == master_.scalar_type()) {
    compute_ = master_;
  } else if (compute_.is_same(master_) || compute_.scalar_type() != dtype) {
    compute_ = master_.to(dtype);
  } else {
    compute_.copy_(master_);
  }
}

}  // namespace adaptive
