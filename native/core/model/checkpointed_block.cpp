#include "core/model/checkpointed_block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// A graph node keeps tensors and IValues; a capsule makes one of a function.
struct HeldBlock : torch::CustomClassHolder {
  HeldBlock(BlockFunction block, Tensor out) : block(std::move(block)), out(std::move(out)) {}
  BlockFunction block;
  Tensor out;
};

struct Checkpoint : torch::autograd::Function<Checkpoint> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden,
                        const c10::intrusive_ptr<HeldBlock>& held) {
    ctx->save_for_backward({hidden});
    ctx->saved_data["block"] = c10::IValue::make_capsule(held);
    // The output must not be held by its own node, or neither would ever go.
    Tensor out = std::exchange(held->out, Tensor());
    // Gradients are off inside forward: nothing of this run is kept.
    return out.copy_(held->block(hidden));
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto held = c10::static_intrusive_pointer_cast<HeldBlock>(ctx->saved_data["block"].toCapsule());
    const Tensor hidden = ctx->get_saved_variables()[0].detach().set_requires_grad(true);
    at::AutoGradMode record(true);
    const Tensor out = held->block(hidden);
    // Weight gradients gather on the way; only the gradient of the input comes back.
    return {torch::autograd::grad({out}, {hidden}, {grads[0]})[0], Tensor()};
  }
};

}  // namespace

Tensor checkpointedBlock(const Tensor& hidden, BlockFunction block, Tensor out) {
  return Checkpoint::apply(hidden, c10::make_intrusive<HeldBlock>(std::move(block), std::move(out)));
}

std::vector<Tensor> keptOutputs(int64_t blocks, const Tensor& hidden) {
  // Below autograd a slice is no view: each has a version counter of its own.
  at::AutoDispatchBelowADInplaceOrView plain;
  const Tensor all = at::empty({blocks, hidden.size(0), hidden.size(1)}, hidden.options());
  return all.unbind(0);
}

}  // namespace adaptive
