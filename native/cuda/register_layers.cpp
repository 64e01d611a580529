// The operators of layers on CUDA: what is allocated, and the launches.
#include "core/ops/dropout_rate.h"
#include "cuda/kernels.h"
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"

// Names of operators hide those of the kernels, which are then called with cuda::.
namespace adaptive::cuda::operators {
namespace {

using at::Tensor;

NormShape shapeOfRows(const Tensor& x, double offset) {
  const int64_t width = x.size(-1);
  return {x.numel() / width, 1, width, width, 1, static_cast<float>(offset)};
}

std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset,
                                   at::ScalarType dtype) {
  const OnDevice on(x);
  const Tensor input = x.contiguous();
  const NormShape shape = shapeOfRows(input, offset);
  Tensor y = at::empty_like(input, input.options().dtype(dtype));
  Tensor rstd = at::empty({shape.rows}, input.options());
  forType(dtype, [&](auto zero) {
    using T = decltype(zero);
    cuda::rmsNorm(read<float>(input), read<float>(weight), write<T>(y), write<float>(rstd), shape,
                  static_cast<float>(eps), on.stream);
  });
  return {y, rstd};
}

/// What a norm's backward pass works in, where the weight gets a gradient.
Tensor scratchFor(const NormShape& shape, const Tensor& weight, const std::optional<Tensor>& dWeight) {
  return at::empty({dWeight ? normScratch(shape) : 0}, weight.options());
}
float* written(const std::optional<Tensor>& tensor) { return tensor ? write<float>(*tensor) : nullptr; }

Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       double offset, const std::optional<Tensor>& dWeight) {
  const OnDevice on(x);
  const Tensor grad = dy.contiguous(), input = x.contiguous();
  const NormShape shape = shapeOfRows(input, offset);
  Tensor dx = at::empty_like(input);
  const Tensor scratch = scratchFor(shape, weight, dWeight);
  forType(grad.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::rmsNormBackward(read<T>(grad), read<float>(input), read<float>(weight), read<float>(rstd),
                          write<float>(dx), written(dWeight), write<float>(scratch), shape, on.stream);
  });
  return dx;
}

/// Queries or keys of a fused projection: a shape, where its first piece starts, and where its first rstd
/// stands.
struct NormedPart {
  NormShape shape;
  int64_t first, rstdFirst;
};
struct NormedParts {
  NormedPart q, k;
  int64_t norms;  ///< rstd per row
};

NormedParts normedParts(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight, int64_t heads,
                        int64_t kvHeads, double offset) {
  const int64_t rows = qkv.size(0), stride = qkv.size(1), headDim = stride / (heads + 2 * kvHeads);
  const int64_t q = heads * headDim / qWeight.numel(), k = kvHeads * headDim / kWeight.numel();
  const auto shift = static_cast<float>(offset);
  return {{{rows, q, qWeight.numel(), stride, q + k, shift}, 0, 0},
          {{rows, k, kWeight.numel(), stride, q + k, shift}, heads * headDim, q},
          q + k};
}

std::tuple<Tensor, Tensor> headNorm(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                                    int64_t heads, int64_t kvHeads, double eps, double offset) {
  const OnDevice on(qkv);
  const NormedParts parts = normedParts(qkv, qWeight, kWeight, heads, kvHeads, offset);
  Tensor y = at::empty_like(qkv), rstd = at::empty({qkv.size(0), parts.norms}, qWeight.options());
  const int64_t values = qkv.size(1) * (heads + kvHeads) / (heads + 2 * kvHeads);
  y.narrow(1, values, qkv.size(1) - values).copy_(qkv.narrow(1, values, qkv.size(1) - values));
  forType(qkv.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto norm = [&](const NormedPart& part, const Tensor& weight) {
      cuda::rmsNorm(read<T>(qkv) + part.first, read<float>(weight), write<T>(y) + part.first,
                    write<float>(rstd) + part.rstdFirst, part.shape, static_cast<float>(eps), on.stream);
    };
    norm(parts.q, qWeight), norm(parts.k, kWeight);
  });
  return {y, rstd};
}

void headNormBackward_(Tensor dQkv, const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                       const Tensor& rstd, int64_t heads, int64_t kvHeads, double offset,
                       const std::optional<Tensor>& dQWeight, const std::optional<Tensor>& dKWeight) {
  const OnDevice on(qkv);
  const NormedParts parts = normedParts(qkv, qWeight, kWeight, heads, kvHeads, offset);
  forType(qkv.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto norm = [&](const NormedPart& part, const Tensor& weight,
                          const std::optional<Tensor>& dWeight) {
      const Tensor scratch = scratchFor(part.shape, weight, dWeight);
      T* grad = write<T>(dQkv) + part.first;
      cuda::rmsNormBackward(grad, read<T>(qkv) + part.first, read<float>(weight),
                            read<float>(rstd) + part.rstdFirst, grad, written(dWeight), write<float>(scratch),
                            part.shape, on.stream);
    };
    norm(parts.q, qWeight, dQWeight), norm(parts.k, kWeight, dKWeight);
  });
}

void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool interleaved,
             bool back) {
  const OnDevice on(x);
  forType(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    rotate(write<T>(x), read<float>(cos), read<float>(sin), x.size(0), x.stride(0), heads, headDim,
           cos.size(1), interleaved, back ? -1.f : 1.f, on.stream);
  });
}

/// Sorted by id, without a way to the host: the rows of one id stay in their order.
void addRows_(Tensor table, const Tensor& ids, const Tensor& rows, double scale) {
  const OnDevice on(table);
  const auto [sorted, order] = at::sort(ids, /*stable=*/std::optional<bool>(true));
  const Tensor from = rows.contiguous();
  addRows(write<float>(table), read<int64_t>(sorted), read<int64_t>(order), read<float>(from), nullptr, 0,
          static_cast<float>(scale), /*skipped=*/-1, from.size(0), from.size(1), on.stream);
}

Tensor gatedActivation(const Tensor& gateUp, int64_t activation) {
  const OnDevice on(gateUp);
  Tensor y = at::empty({gateUp.size(0), gateUp.size(1) / 2}, gateUp.options());
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::gatedActivation(read<T>(gateUp), write<T>(y), y.size(0), y.size(1),
                          static_cast<Activation>(activation), on.stream);
  });
  return y;
}

Tensor gatedActivationBackward(const Tensor& dy, const Tensor& gateUp, int64_t activation) {
  const OnDevice on(gateUp);
  const Tensor grad = dy.contiguous();
  Tensor dGateUp = at::empty_like(gateUp);
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::gatedActivationBackward(read<T>(grad), read<T>(gateUp), write<T>(dGateUp), gateUp.size(0),
                                  gateUp.size(1) / 2, static_cast<Activation>(activation), on.stream);
  });
  return dGateUp;
}

Tensor dropout(const Tensor& x, double rate, int64_t key) {
  const OnDevice on(x);
  const Tensor from = x.contiguous();
  Tensor to = at::empty_like(from);
  const DropoutRate dropped(rate);
  forType(from.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    cuda::dropout(read<T>(from), write<T>(to), from.numel(), static_cast<uint64_t>(key), dropped.threshold,
                  dropped.scale, on.stream);
  });
  return to;
}

Tensor uniform(const Tensor& like, int64_t key) {
  const OnDevice on(like);
  Tensor out = at::empty(like.sizes(), like.options().dtype(at::kFloat));
  cuda::uniform(write<float>(out), out.numel(), static_cast<uint64_t>(key), on.stream);
  return out;
}

void dequantize_(Tensor out, const Tensor& packed, const std::optional<Tensor>& codes, const Tensor& scales,
                 int64_t blockSize, int64_t columns, int64_t firstRow, int64_t firstColumn) {
  const OnDevice on(out);
  forType(out.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    dequantize(write<T>(out), read<uint8_t>(packed), codes ? read<float>(*codes) : nullptr,
               read<float>(scales), blockSize, columns, firstRow, firstColumn, out.size(0), out.size(1),
               on.stream);
  });
}

}  // namespace
}  // namespace adaptive::cuda::operators

namespace adaptive::cuda {

void registerLayerKernels(torch::Library& m) {
  m.impl("rms_norm", &operators::rmsNorm);
  m.impl("rms_norm_backward", &operators::rmsNormBackward);
  m.impl("head_norm", &operators::headNorm);
  m.impl("head_norm_backward_", &operators::headNormBackward_);
  m.impl("rotate_", &operators::rotate_);
  m.impl("add_rows_", &operators::addRows_);
  m.impl("gated_activation", &operators::gatedActivation);
  m.impl("gated_activation_backward", &operators::gatedActivationBackward);
  m.impl("dropout", &operators::dropout);
  m.impl("uniform", &operators::uniform);
  m.impl("dequantize_", &operators::dequantize_);
}

}  // namespace adaptive::cuda
