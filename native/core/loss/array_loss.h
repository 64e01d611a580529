// The loss on its own, from hidden states and a head given as arrays.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/loss/training_loss.h"

namespace adaptive {

struct ArrayLossRequest {
  std::vector<float> hidden;          ///< [rows, seq, hiddenSize]
  std::vector<float> weight;          ///< [vocabSize, hiddenSize]
  std::vector<int32_t> labels;        ///< [rows, seq]
  std::vector<int32_t> demarcation;   ///< as in labelledTokens()
  std::vector<LearningStyle> styles;  ///< [rows]
  int64_t rows = 0, seq = 0, hiddenSize = 0, vocabSize = 0;
  int64_t chunkTokens = 0;  ///< tokens whose logits exist at once; 0: as many as fit the memory that is free
  bool bfloat16 = false;    ///< multiplies in bfloat16 instead of float32
  bool training = true;     ///< false: no gradients, and α and β stay
  LossRequest loss = {};
};

struct ArrayLoss {
  LossReport report;
  LabelledTokens tokens;
  TokenStatistics statistics;
  at::Tensor gradHidden;  ///< float32 [rows·seq, hiddenSize]; undefined unless training
  at::Tensor gradWeight;  ///< float32 [vocabSize, hiddenSize]; undefined unless training
};

/// Errors: INVALID_INPUT naming a size or an array that does not fit, or the place of a NaN or an infinity in
/// hidden or weight; LOSS_NOT_FINITE where finite ones give logits or gradients that are not.
ArrayLoss arrayLoss(const ArrayLossRequest& request);

}  // namespace adaptive
