// Compiled once per instruction set, with CPU_CAPABILITY naming it.
#include "core/ops/cpu/tables.h"

#include "core/ops/cpu/isa/attention_kernels.h"
#include "core/ops/cpu/isa/block_kernels.h"
#include "core/ops/cpu/isa/dequantize_kernels.h"
#include "core/ops/cpu/isa/divergence_kernel.h"
#include "core/ops/cpu/isa/dot_kernels.h"
#include "core/ops/cpu/isa/loss_kernels.h"
#include "core/ops/cpu/isa/norm_kernels.h"
#include "core/ops/cpu/isa/optimizer_kernels.h"
#include "core/ops/cpu/isa/random_kernels.h"
#include "core/ops/cpu/isa/tile_kernels.h"

namespace adaptive::cpu::CPU_CAPABILITY {

template <class T>
const Kernels<T>& table() {
  static const Kernels<T> kernels = {&rmsNormForward<T>,   &rmsNormBackward<T>, &headNormForward<T>,
                                     &headNormBackward<T>, &rotate<T>,          &rotateInterleaved<T>,
                                     &gatedForward<T>,     &gatedBackward<T>,   &tokenStatistics<T>,
                                     &topKEntropy<T>,      &firstChoices<T>,    &lossGradient<T>,
                                     &softCap<T>,          &divergence<T>,      &dequantize4bit<T>,
                                     &dequantize8bit<T>,   &thinProduct<T>,     &attendPart<T>};
  return kernels;
}

template const Kernels<float>& table<float>();
template const Kernels<c10::BFloat16>& table<c10::BFloat16>();
template const Kernels<c10::Half>& table<c10::Half>();

const AttentionKernels& attentionTable() {
  static const AttentionKernels kernels = {&multiplyTile, &softmaxPart, &softmaxFromLse, &softmaxBackward};
  return kernels;
}

const OptimizerKernels& optimizerTable() {
  static const OptimizerKernels kernels = {&adam8bitBlock, &decodeBlock, &encodeBlock, &lion,
                                           &roundStochastically};
  return kernels;
}

const RandomKernels& randomTable() {
  static const RandomKernels kernels = {&dropout, &uniform};
  return kernels;
}

}  // namespace adaptive::cpu::CPU_CAPABILITY
