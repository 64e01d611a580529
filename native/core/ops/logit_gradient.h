#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace adaptive::ops {

/// The gradient with respect to the logits [n, vocab] of some tokens: as a whole, or as the kept numerators
/// (ops.h) that it is made of, which are never turned into it.
class LogitGradient {
 public:
  /// unit·values, for values [n, vocab].
  LogitGradient(at::Tensor values, double unit = 1);
  /// Of row i scales[i][0]·numerators[i], and scales[i][1] at labels[i] and scales[i][2] at ints[i][1].
  /// `unit`: a power of two near the largest of scales[i][0], which 16 bits may have no room for.
  LogitGradient(at::Tensor numerators, at::Tensor scales, at::Tensor labels, at::Tensor ints, double unit);

  /// target [n, width] = the gradient times matrix [vocab, width], of one type.
  void timesInto(at::Tensor target, const at::Tensor& matrix) const;

  /// For x [n, width] the transposed gradient times x is unit()·values()ᵀ·scaled(x), and rows[i] more at
  /// ids[i] for each i of points(x).
  const at::Tensor& values() const { return values_; }
  double unit() const { return unit_; }
  at::Tensor scaled(const at::Tensor& x) const;
  struct Points {
    at::Tensor ids;   ///< int64 [n]
    at::Tensor rows;  ///< float32 [n, width]
  };
  std::vector<Points> points(const at::Tensor& x) const;

  /// Its columns `ids`, int64.
  LogitGradient columns(const at::Tensor& ids) const;
  /// Its sum over the tokens, float32 [vocab].
  at::Tensor sum() const;

 private:
  bool isWhole() const { return !scales_.defined(); }
  /// Of the label (1) or the first choice (2): ids int64 [n].
  at::Tensor idsOf(int64_t scale) const;

  at::Tensor values_, scales_, labels_, ints_;
  double unit_;
};

}  // namespace adaptive::ops
