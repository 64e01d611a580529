// What every optimizer shares: it moves the masters of a fixed list of parameters by their gathered
// gradients, one Hugging Face tensor after another.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/parameter.h"
#include "core/ops/optimizer_rates.h"
#include "core/optim/base_weights.h"
#include "core/optim/paging.h"
#include "core/optim/state_pages.h"
#include "core/optim/stored_moment.h"

namespace adaptive {

struct OptimizerOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;  ///< adamw, ademamix, rmsprop, and adagrad, where 1e-10 is usual
  /// Biases and norm weights are spared. Decoupled, except for sgd, rmsprop and adagrad, which add it to the
  /// gradient.
  double weightDecay = 0;
  double momentum = 0;         ///< sgd and rmsprop
  double dampening = 0;        ///< sgd: what is taken off the gradient that joins the momentum, as a share
  bool nesterov = false;       ///< sgd: needs a momentum, without dampening
  double lrDecay = 0;          ///< adagrad: the rate of step t is divided by 1 + (t − 1)·lrDecay
  double squaresDecay = 0.99;  ///< rmsprop: α of torch.optim.RMSprop
  bool centered = false;    ///< rmsprop: divides by the deviation of gradients, not by their root mean square
  double beta3 = 0.9999;    ///< ademamix: of the slow mean
  double mixAlpha = 5;      ///< ademamix: what the slow mean is multiplied with
  int64_t beta3Warmup = 0;  ///< ademamix: steps over which beta3 rises; 0: none
  int64_t alphaWarmup = 0;  ///< ademamix: steps over which mixAlpha rises; 0: none
  uint64_t seed = 0;        ///< of the stochastic rounding of bfloat16 masters
  /// Which parameters are moved here; the others are another rank's, and their state is of the meta device.
  /// Null: all.
  std::function<bool(const Parameter*)> holds = {};
  /// adamw, lion, ademamix and their 8-bit kinds: states leave a device with memory of its own as far as they
  /// do not fit there. Nothing: all stay. Where tensors are the host's, there is nothing to leave.
  std::optional<Paging> paging = {};
  int64_t gradientBytes = 0;  ///< with paging: of gradients that the device is still to hold
};

/// Bytes that the state of an optimizer takes here.
struct StateMemory {
  int64_t held = 0;      ///< where the weights are, pieces of paged states that are on their way included
  int64_t paged = 0;     ///< in memory of the host beside a device with memory of its own
  int64_t unpinned = 0;  ///< of these, the ones that the system did not pin
};

class Optimizer {
 public:
  Optimizer(std::vector<Parameter*> parameters, OptimizerOptions options);
  virtual ~Optimizer() = default;

  /// What the weights are pulled to from now on.
  void setBase(std::unique_ptr<const BaseWeights> base) { base_ = std::move(base); }

  /// What the learning rate of a tensor is multiplied with, by its name; 1 for those that are not named.
  /// Errors: INVALID_INPUT for a name that is not trained or a multiplier below 0.
  void setRates(const std::vector<std::pair<std::string, double>>& multipliers);

  /// Moves every parameter that has a gradient; the gradient is taken times `gradientScale` (clipping). After
  /// that, weight −= pull·(weight − base) for all. Errors: INVALID_INPUT for a rate below 0, a scale of 0 or
  /// less, a pull outside [0, 1], one without setBase(), or any of them not finite.
  void step(double learningRate, double gradientScale, double pull = 0);

  /// Everything that has to survive a restart, as named tensors. They share memory with the optimizer:
  /// copying into them restores it.
  std::vector<std::pair<std::string, at::Tensor>> state();
  StateMemory memory() const { return memory_; }
  /// Gives the state its place and makes it zeros; makeOptimizer() does. Errors: OUT_OF_MEMORY for paged
  /// states that main memory has no room for.
  void placeState();
  int64_t steps() const { return steps_; }
  void setSteps(int64_t steps);

 protected:
  /// One Hugging Face tensor of the list.
  struct Slot {
    Parameter* parameter;
    const ParameterPart* part;
    double rate = 1;    ///< what the learning rate is multiplied with
    bool isOwn = true;  ///< moved here
  };
  /// A slot during a step.
  struct Update {
    size_t slot;          ///< its index in slots()
    at::Tensor weight;    ///< rows of the master, float32 or bfloat16, contiguous
    at::Tensor gradient;  ///< float32, same shape
    double learningRate, gradientScale;
    double weightDecay;  ///< 0 for a spared parameter
    uint32_t noise;      ///< key of the stochastic rounding of this slot in this step
  };
  /// Moves the slots of a step: each by update(), unless an optimizer takes them together.
  virtual void updateAll(const std::vector<Update>& updates);
  virtual void update(const Update& update) = 0;
  /// What is kept of a slot; of other ranks' slots nothing has a place.
  virtual std::vector<StateTensor> statesOf(size_t slot) = 0;
  virtual std::vector<std::pair<std::string, at::Tensor>> namedState() = 0;
  /// Lets `move` change a slot piece by piece: float32 entries [first, first + count) of its weight, and of
  /// its gradient with weightDecay·weight added.
  static void forDecayedPieces(const Update& update,
                               const std::function<void(const at::Tensor& weight, const at::Tensor& gradient,
                                                        int64_t first, int64_t count)>& move);
  /// What AdamW does with a slot in this step.
  AdamStep stepOf(const Update& update) const;

  const std::vector<Slot>& slots() const { return slots_; }
  const OptimizerOptions& options() const { return options_; }
  /// A float32 tensor without a place.
  static at::Tensor withoutPlace(at::IntArrayRef sizes);
  /// One for each slot, of the shape of its rows.
  std::vector<at::Tensor> tensorsForSlots() const;
  /// A moment without a place for each slot.
  std::vector<StoredMoment> momentsForSlots(bool inEightBits, bool isSigned) const;
  /// "<name of the tensor><suffix>" → the moment at the slot's index, one suffix after the other.
  std::vector<std::pair<std::string, at::Tensor>> named(
      const std::vector<std::pair<const char*, const std::vector<StoredMoment>*>>& moments) const;
  /// "<name of the tensor><suffix>" → the tensor at the slot's index.
  std::vector<std::pair<std::string, at::Tensor>> named(const char* suffix,
                                                        const std::vector<at::Tensor>& tensors) const;

 private:
  /// Which slots are paged if not all fit on `device`.
  std::vector<bool> slotsToPage(const std::vector<StatePages::Slot>& states, at::Device device) const;
  /// Pages these slots, and more where the device has no room left for pieces.
  void makePages(at::Device device, const std::vector<StatePages::Slot>& states,
                 const std::vector<StatePages::Slot>& paged, std::vector<bool>& isPaged);
  void moveAll(const std::vector<Update>& updates);
  std::vector<Slot> slots_;
  std::vector<bool> isPaged_;          ///< by slot
  std::unique_ptr<StatePages> pages_;  ///< null without paged slots
  StateMemory memory_;
  std::unique_ptr<const BaseWeights> base_;
  OptimizerOptions options_;
  int64_t steps_ = 0;
};

/// "adamw", "adamw_8bit", "sgd", "lion", "lion_8bit", "adafactor", "rmsprop", "adagrad", "ademamix" or
/// "ademamix_8bit". Errors: NOT_AVAILABLE for any other name;
/// INVALID_INPUT naming an option that is out of range.
std::unique_ptr<Optimizer> makeOptimizer(const std::string& name, std::vector<Parameter*> parameters,
                                         OptimizerOptions options);

}  // namespace adaptive
