#pragma once
#include "core/optim/optimizer.h"

namespace adaptive {

/// Adafactor (Shazeer & Stern 2018) as transformers.optimization.Adafactor with the options of the Hugging
/// Face Trainer: scale_parameter and relative_step off, no first moment, eps 1e-30, clipping threshold 1,
/// decay rate −0.8. The second moments of a matrix are kept as means of its rows and of its columns.
class Adafactor : public Optimizer {
 public:
  Adafactor(std::vector<Parameter*> parameters, OptimizerOptions options);

 protected:
  void update(const Update& update) override;
  std::vector<StateTensor> statesOf(size_t slot) override;
  std::vector<std::pair<std::string, at::Tensor>> namedState() override;

 private:
  void updateMatrix(const Update& update, double beta2);
  void updateVector(const Update& update, double beta2);

  /// By slot; of a matrix rows_ [rows] and columns_ [columns] are defined, of a vector whole_.
  std::vector<at::Tensor> rows_, columns_, whole_;
};

}  // namespace adaptive
