// Gradient checkpointing: a block keeps only its input and is run again inside backward. libtorch's C++ API
// has no torch.utils.checkpoint. Chen et al. 2016, "Training deep nets with sublinear memory cost".
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace adaptive {

using BlockFunction = std::function<at::Tensor(const at::Tensor&)>;

/// block(hidden), with none of its activations kept. Values and gradients are those of the plain call: the
/// same kernels run on the same numbers. `block` must be a pure function of `hidden` apart from gathering
/// weight gradients in backward. `out`: what the output is written to.
at::Tensor checkpointedBlock(const at::Tensor& hidden, BlockFunction block, at::Tensor out);

/// Tensors like `hidden` for the outputs of all blocks, in one piece of memory. One by one, they would take
/// the places that a block's temporaries have just left, and the next block's, larger than what remains of
/// them, would need new ones: several times the memory of what is kept.
std::vector<at::Tensor> keptOutputs(int64_t blocks, const at::Tensor& hidden);

}  // namespace adaptive
