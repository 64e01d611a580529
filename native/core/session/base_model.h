// The model as it was before training, as far as retention needs it: its head, and its last hidden states of
// chosen rows. No second model is kept (docs/retention.md).
#pragma once
#include <memory>
#include <vector>

#include "core/io/stored_tensor.h"
#include "core/model/decoder.h"

namespace adaptive {

/// Rows that the model is held to its base on; they come last in a micro-batch.
struct RetainedRows {
  int64_t store = -1;         ///< from BaseModel::addRows(); −1: the base is the model with its adapter off
  std::vector<int64_t> rows;  ///< which of the store
  double weight = 0;          ///< what the sum of KL(base ‖ model) over their tokens is multiplied with
};

class BaseModel {
 public:
  /// Keeps the head (and its bias) as it is now, its adapter off, where it is trained: in bfloat16 if that
  /// changes no value, else in the type that is computed in.
  void keepHead(Decoder& decoder);
  /// [vocab, hidden]: the kept head, or the model's own where that is frozen.
  at::Tensor head(Decoder& decoder) const;
  /// [vocab], of the same; undefined for a head without one.
  at::Tensor headBias(Decoder& decoder) const;

  /// Maps the last hidden states of rows, [cuSeqlens.back(), hidden] in the type that is computed in. Returns
  /// what RetainedRows::store names them by. Errors: INVALID_INPUT for a shape, type or lengths that do not
  /// fit; IO_FAILED, SAFETENSORS_INVALID.
  int64_t addRows(const Decoder& decoder, const std::string& path, const StoredTensor& stored,
                  std::vector<int64_t> cuSeqlens);

  /// The base's last hidden states [tokens, hidden] of `batch`, which are `rows` of a store. Errors:
  /// INVALID_INPUT for a row or a store that is not there, for rows of another length, or without a store for
  /// a decoder that has no adapter or weights that are trained whole.
  at::Tensor hiddenStates(Decoder& decoder, const FlatBatch& batch, const RetainedRows& rows) const;

  /// Bytes of the kept head.
  int64_t bytes() const {
    return static_cast<int64_t>((head_.defined() ? head_.nbytes() : 0) +
                                (headBias_.defined() ? headBias_.nbytes() : 0));
  }

 private:
  struct Store {
    std::unique_ptr<MappedFile> file;
    at::Tensor hidden;
    std::vector<int64_t> cuSeqlens;
  };
  at::Tensor head_, headBias_;
  std::vector<Store> stores_;
};

}  // namespace adaptive
