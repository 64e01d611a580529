// What an adapter adds to a table of rows: to an embedding that is looked up, or to the head.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "core/model/dropout_key.h"
#include "core/model/lora_adapter.h"
#include "core/model/parameter.h"

namespace adaptive {

/// Single rows that are trained in place of those of a frozen table (PEFT's trainable_token_indices). They
/// stand in the table itself while they are shown.
class TokenRows {
 public:
  TokenRows(const std::string& module, const std::vector<int64_t>& ids, int64_t width);

  Parameter& values() const { return *values_; }  ///< [ids, width]
  /// What the table held in their place; undefined before show().
  const at::Tensor& original() const { return original_; }
  /// Puts the rows into the table; those of before are kept. The first time, they begin as its own.
  void show(Parameter& table);
  /// Puts those of before back.
  void hide(Parameter& table);
  /// Gathers the gradients of looked-up rows: dRows [n, width] of ids [n].
  void accumulateLookedUp(const at::Tensor& ids, const at::Tensor& dRows) const;
  /// Gathers those of a product x·tableᵀ: dy [n, rows of the table], x [n, width].
  void accumulateOuter(const ops::LogitGradient& dy, const at::Tensor& x) const;

 private:
  void put(Parameter& table, const at::Tensor& rows) const;

  at::Tensor ids_;
  std::unique_ptr<Parameter> values_;
  at::Tensor original_;
  bool begun_ = false, shown_ = false;
};

struct TableAdapter {
  std::unique_ptr<LoraAdapter> low;
  std::unique_ptr<TokenRows> rows;

  explicit operator bool() const { return low || rows; }
  template <class F>
  void forEach(const F& f) const {
    if (low) low->forEach(f);
    if (rows) f(&rows->values());
  }
};

/// What the head's adapter multiplies with Bᵀ: scale·x·Aᵀ [tokens, rank], with dropout where there is a key.
/// The gradient of A is gathered in backward.
at::Tensor lowInput(const at::Tensor& x, const LoraAdapter& adapter, const DropoutKey& key = {});

}  // namespace adaptive
