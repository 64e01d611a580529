// A low-rank addition to one module of a projection. Hu et al. 2021, "LoRA: low-rank adaptation of large
// language models"; with a magnitude, Liu et al. 2024, "DoRA: weight-decomposed low-rank adaptation".
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "core/model/parameter.h"
#include "core/model/weight_product.h"

namespace adaptive {

/// Which of PEFT's tensors A and B are.
enum class LoraForm {
  Linear,     ///< lora_A [rank, inputs] and lora_B [outputs, rank]
  Embedding,  ///< lora_embedding_B [inputs, rank] and lora_embedding_A [rank, outputs], the rows looked up
  Stored,     ///< lora_B [inputs, rank] and lora_A [rank, outputs]: a weight that is stored [inputs, outputs]
  Experts,    ///< those of all experts: lora_A [experts·rank, inputs], lora_B [outputs, rank·experts]
};

/// What to add to a module, as PEFT's LoraConfig says it.
struct LoraTarget {
  std::string module;  ///< Hugging Face name, without .weight; of experts, the weight's own
  int64_t rank = 8;
  double scale = 1;    ///< alpha / rank, or alpha / √rank
  double dropout = 0;  ///< of the input of A, while training
  bool magnitude = false;
  LoraForm form = LoraForm::Linear;
};

/// Ways to take an adapter's first value out of the weight that it lies on.
struct Decomposition {
  enum Kind {
    None,
    Svd,  ///< Meng et al. 2024, "PiSSA": the largest singular values
    Qr,   ///< Büyükakyüz 2024, "OLoRA"
  } kind = None;
  /// Of Svd: rounds of the randomised one (Halko et al. 2009, algorithm 5.1); −1: all of it is computed.
  int64_t rounds = -1;
};

/// y += scale · x·Aᵀ·Bᵀ in the rows of one module; with a magnitude m, y = (m / ‖W + scale·B·A‖) · (that y),
/// the norm of each row taken as a constant in backward.
class LoraAdapter {
 public:
  /// For rows [firstRow, firstRow + outputs) of a projection from `inputs`. A is drawn by the caller, B is
  /// zero, the magnitude that of the weight once refresh() was called the first time. `experts`: how many
  /// weights there are, of LoraForm::Experts.
  LoraAdapter(const LoraTarget& target, int64_t firstRow, int64_t outputs, int64_t inputs, int64_t number,
              int64_t experts = 1);

  Parameter& a() const { return *a_; }  ///< [rank, inputs], below each other for experts
  Parameter& b() const { return *b_; }  ///< [outputs, rank]; of experts [outputs, rank·experts], see bOf()
  int64_t rank() const { return rank_; }
  /// A [rank, inputs] and B [outputs, rank] of one expert as views of a tensor of all of them.
  at::Tensor aOf(const at::Tensor& all, int64_t expert) const;
  at::Tensor bOf(const at::Tensor& all, int64_t expert) const;
  /// The one of the two that is 0 in a new adapter, and the one that is drawn.
  Parameter& zero() const { return form_ == LoraForm::Stored ? *a_ : *b_; }
  Parameter& drawn() const { return form_ == LoraForm::Stored ? *b_ : *a_; }
  Parameter* magnitude() const { return magnitude_.get(); }  ///< [outputs]; null without DoRA
  const at::Tensor& norm() const { return norm_; }           ///< float32 [outputs], with a magnitude
  const at::Tensor& rowScale() const { return rowScale_; }   ///< magnitude / norm in the compute type
  double scale() const { return scale_; }
  double dropout() const { return dropout_; }
  int64_t number() const { return number_; }  ///< tells its dropout from that of others
  int64_t firstRow() const { return firstRow_; }
  int64_t outputs() const { return outputs_; }
  at::Tensor rowsOf(const at::Tensor& weight) const { return weight.narrow(0, firstRow_, outputs_); }

  WeightRows weightRows() const { return {firstRow_, outputs_}; }

  /// Takes the first A and B out of the weight: weight −= scale·B·A, in the type that it is kept in. They are
  /// kept beside it. Errors: INVALID_INPUT for a rank above the sizes of the module, or a quantised
  /// weight.
  void takeOut(const Parameter& weight, const Decomposition& how, at::Generator& generator);
  /// What was taken out, float32; undefined where nothing was.
  const at::Tensor& firstA() const { return firstA_; }
  const at::Tensor& firstB() const { return firstB_; }
  /// Has the masters of `other` from now on; call again after the types of masters changed.
  void share(const LoraAdapter& other);
  const LoraAdapter* shared() const { return shared_; }

  // `weight` is the whole projection's.
  /// Works the row norms out again, after A, B or the weight changed. Nothing without a magnitude.
  void refresh(const Parameter& weight, at::ScalarType computeType);
  /// Sets the magnitude to the norm of the weight's rows, so that the adapter changes nothing yet.
  void takeMagnitude(const Parameter& weight);
  /// Norms of the weight's rows without the addition, float32 [outputs].
  at::Tensor rowNorms(const Parameter& weight) const;
  /// Folds the addition into `weight`, a plain one.
  void mergeInto(const Parameter& weight) const;

  template <class F>
  void forEach(const F& f) const {
    for (const auto* p : {&a_, &b_, &magnitude_})
      if (*p) f(p->get());
  }

 private:
  std::unique_ptr<Parameter> a_, b_, magnitude_;
  at::Tensor norm_, rowScale_, firstA_, firstB_;
  const LoraAdapter* shared_ = nullptr;
  LoraForm form_;
  double scale_, dropout_;
  int64_t rank_, firstRow_, outputs_, number_, experts_;
};

}  // namespace adaptive
