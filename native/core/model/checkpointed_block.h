// Gradient checkpointing: a block keeps only its input and is run again inside backward. libtorch's C++ API
// has no torch.utils.checkpoint. Chen et al. 2016, "Training deep nets with sublinear memory cost".
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace adaptive {

using BlockFunction = std::function<at::Tensor(const at::Tensor&)>;

/// block(hidden), with none of its activations kept. Values and gradients are those of the plain call: the
/// same kernels run on the same numbers. `block` must be a pure function of `hidden` apart from gathering
/// weight gradients in backward.
at::Tensor checkpointedBlock(const at::Tensor& hidden, BlockFunction block);

}  // namespace adaptive
