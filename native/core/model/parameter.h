// One weight of the decoder in the layout that the engine computes with, and the Hugging Face tensors it is
// made of.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/quantized_matrix.h"
#include "core/ops/logit_gradient.h"

namespace adaptive {

/// A Hugging Face tensor: rows [firstRow, firstRow + rows()) of a Parameter.
struct ParameterPart {
  std::string name;
  std::vector<int64_t> shape;  ///< as it stands in a checkpoint
  /// Stored [inputs, outputs] (GPT-2's Conv1D), where a Parameter is [outputs, inputs]; of three dimensions
  /// the last two.
  bool transposed = false;
  int64_t firstRow = 0;
  /// The tensors of a checkpoint that it is cut into there, equal numbers of rows each; none: it stands there
  /// itself. transformers holds the weights of all experts as one tensor and stores those of each apart.
  std::vector<std::string> stored = {};
  bool frozen = false;        ///< by Parameter::freeze()
  bool besideAdapter = true;  ///< trained where Parameter::trainOnly() was asked for it, or for nothing
  int64_t gradientRow =
      0;  ///< its first row in Parameter::gradient(), where rows of frozen parts are left out
  int64_t rows() const { return transposed && shape.size() == 2 ? shape[1] : shape[0]; }
};

/// Weights of layers that read the same input (q, k, v; gate, up) stand below each other in one matrix, so
/// that one product serves them all; those of experts, which read different inputs, are [experts, outputs,
/// inputs]. The master is what the optimizer moves, float32 unless setMasterType()
/// was asked for less; `compute()` is what the layers multiply with. Gradients are float32 and gather over
/// micro-batches, written by the layers' own backward (no autograd leaf, no temporary).
class Parameter {
 public:
  Parameter(std::vector<ParameterPart> parts, bool isNorm);

  const at::Tensor& master() const { return master_; }
  const at::Tensor& compute() const { return compute_; }
  /// Where its numbers are.
  at::Device device() const;
  /// Of the parts that are trained, below each other. Defined after the first accumulate() since
  /// clearGradient().
  at::Tensor gradient() const { return hasGradient_ ? gradient_ : at::Tensor(); }
  const std::vector<ParameterPart>& parts() const { return parts_; }
  /// Whether any part of it gathers gradients.
  bool trainable() const { return gradientRows_ > 0; }
  /// Whether this part does.
  bool trains(const ParameterPart& part) const { return trainable_ && !part.frozen && part.besideAdapter; }
  /// All of it at once, as an adapter does with the weights under it.
  void setTrainable(bool on);
  /// The parts that `isTrained` names beside an adapter, and no other; none: as setTrainable(false).
  void trainOnly(const std::function<bool(const std::string& name)>& isTrained);
  bool isUnderAdapter() const { return !trainable_; }
  /// Whether `dtype` can hold the master as it is.
  bool fits(at::ScalarType dtype) const;
  /// Freezes the parts that `isFrozen` names, and no other. The gradient is dropped.
  void freeze(const std::function<bool(const std::string& name)>& isFrozen);
  /// A weight or bias of a norm.
  bool isNorm() const { return isNorm_; }
  bool isBias() const { return parts_[0].name.ends_with("bias"); }

  /// Keeps the parts that `how` answers for in fewer bits from now on, to be read from a file; the others as
  /// they would be. All of it is frozen. Neither master() nor compute() holds numbers then: they are
  /// tensors of the meta device, which have a shape and a type alone.
  void quantize(const std::function<std::optional<Quantization>(const ParameterPart&)>& how);
  bool isQuantized() const { return !pieces_.empty(); }
  /// Gives up the master, which another rank holds: compute() is all that is left, and master() a tensor of
  /// the meta device. Where it is what is computed with, nothing happens.
  void releaseMaster();
  bool isMasterReleased() const { return master_.is_meta() && !isQuantized(); }
  /// Takes `master`, of the same shape and type, in place of one that was released.
  void takeMaster(const at::Tensor& master) { master_ = master; }
  /// Back to a plain weight of type `dtype`.
  void dequantize(at::ScalarType dtype);
  /// What a part is kept in; null where that is a plain tensor.
  QuantizedMatrix* quantized(const ParameterPart& part) const;
  /// The plain tensor of a part, in the shape of the checkpoint; undefined where it is quantised.
  at::Tensor stored(const ParameterPart& part) const;
  /// Of each part, for read(): worked out once for several tiles.
  std::vector<at::Tensor> scales() const;
  /// Fills out [r, c] (contiguous, of any float type) with the weights of a matrix from (firstRow,
  /// firstColumn) on.
  void read(at::Tensor out, int64_t firstRow, int64_t firstColumn,
            const std::vector<at::Tensor>& scales) const;
  /// Rows as a tensor of type `dtype`; a view where they stand so.
  at::Tensor rows(int64_t firstRow, int64_t count, at::ScalarType dtype) const;
  /// Bytes of what is kept of it, gradient left out.
  int64_t weightBytes() const;
  /// Weight decay spares biases and norm weights, as the Hugging Face Trainer does; it takes every vector
  /// that an adapter adds.
  bool decays() const {
    return !isNorm_ && !isBias() && (master_.dim() > 1 || decays_ || parts_[0].name.ends_with(".sinks"));
  }
  void setDecays() { decays_ = true; }
  /// Lets both have one master from now on, that of `other`, which has the same shape. Each keeps a gradient
  /// and an optimizer state of its own.
  void shareMaster(const Parameter& other) { master_ = compute_ = other.master_; }

  /// The rows of gradient() that `part` names; undefined where gradient() is, or the part is frozen.
  at::Tensor gradientOf(const ParameterPart& part) const;
  /// The rows of `tensor` (of all parts) that `part` names.
  static at::Tensor rowsOf(const at::Tensor& tensor, const ParameterPart& part);
  /// The same as a view with the shape of the checkpoint; not contiguous where that is transposed.
  static at::Tensor asStored(const at::Tensor& tensor, const ParameterPart& part);
  /// Calls f(name, rows) for each tensor of a checkpoint that makes up `part`, in the order of its rows.
  template <class F>
  static void forStored(const at::Tensor& tensor, const ParameterPart& part, const F& f) {
    const at::Tensor rows = rowsOf(tensor, part);
    const auto count = static_cast<int64_t>(part.stored.size());
    if (count < 2) return f(count == 0 ? part.name : part.stored[0], rows);
    const at::Tensor pieces = rows.view({count, -1, rows.size(-1)});
    for (int64_t i = 0; i < count; i++) f(part.stored[i], pieces.select(0, i));
  }

  /// gradient += scale·dyᵀ·x, for a product y = x·weightᵀ; dy [n, out], x [n, in]. Nothing where it is
  /// frozen.
  void accumulateOuter(const at::Tensor& dy, const at::Tensor& x, double scale = 1);
  /// The same of logits' gradients, for a head.
  void accumulateOuter(const ops::LogitGradient& dy, const at::Tensor& x);
  /// The same for the weights of experts: expert e has the rows [firstRow[e], firstRow[e + 1]) of dy and x.
  void accumulateOuter(const at::Tensor& dy, const at::Tensor& x, const std::vector<int64_t>& firstRow);
  /// gradient += dWeight. Nothing where it is frozen.
  void accumulate(const at::Tensor& dWeight);
  /// Bytes of the gradient's buffer; 0 while nothing was gathered.
  int64_t gradientBytes() const;
  /// Values that the gradient has, whether its buffer is there or not.
  int64_t gradientSize() const;
  /// The gradient buffer, zeroed if nothing was accumulated yet, for layers that add to it in place.
  at::Tensor& gradientToAddTo();
  /// The same; nothing where it is frozen.
  std::optional<at::Tensor> gradientTarget();
  /// Replaces the rows by `rows` (float32, of the same width); a Parameter of one part. The gradient is
  /// dropped.
  void replace(const at::Tensor& rows);
  /// Gives up the gradient with its buffer, which the next backward pass takes anew: until it reaches this
  /// weight, logits and activations have that memory.
  void clearGradient();

  /// Moves the weight to another device; gradients that were gathered are dropped. Without `keepsValues` what
  /// is there is memory that was never written.
  void moveTo(at::Device device, bool keepsValues);
  /// float32, or bfloat16 for half the memory; norm weights stay float32. The compute weights go stale.
  /// Without `keepsValues` the new master is memory that was never written, so that a file can be read into
  /// it with no copy of another type beside it.
  void setMasterType(at::ScalarType dtype, bool keepsValues);

  /// Casts once, after an optimizer step or a change of dtype. Norm weights stay float32.
  void refreshCompute(at::ScalarType dtype);

 private:
  std::vector<ParameterPart> parts_;
  bool isNorm_;
  /// Of a quantised weight, one for each part.
  struct Piece {
    std::unique_ptr<QuantizedMatrix> matrix;
    at::Tensor plain;  ///< rows, where there is no matrix
  };
  std::vector<Piece> pieces_;
  at::Tensor master_, compute_, gradient_;
  bool hasGradient_ = false, trainable_ = true, decays_ = false;
  /// Neighbouring rows that are trained, and where they begin in gradient_.
  struct Run {
    int64_t firstRow, rows, gradientRow;
  };
  void findRuns();
  std::vector<int64_t> gradientShape() const;
  /// Makes the gradient's buffer where there is none.
  void reserveGradient();
  std::vector<Run> runs_;
  int64_t gradientRows_ = 0;
};

}  // namespace adaptive
