#include <ATen/Version.h>

#include <string>

#include "core/ops/cpu/kernels.h"
#include "core/ops/cpu/tables.h"

namespace adaptive::cpu {
namespace {

enum class Isa { Default, Avx2, Avx512 };

// libtorch's own choice (it honours ATEN_CPU_CAPABILITY), so that one variable governs both.
Isa isa() {
  static const Isa chosen = [] {
#ifdef ADAPTIVE_HAVE_AVX512
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") return Isa::Avx512;
    if (capability == "AVX2") return Isa::Avx2;
#endif
    return Isa::Default;
  }();
  return chosen;
}

}  // namespace

template <class T>
const Kernels<T>& kernels() {
  switch (isa()) {
#ifdef ADAPTIVE_HAVE_AVX512
    case Isa::Avx512:
      return AVX512::table<T>();
    case Isa::Avx2:
      return AVX2::table<T>();
#endif
    default:
      return DEFAULT::table<T>();
  }
}

template const Kernels<float>& kernels<float>();
template const Kernels<c10::BFloat16>& kernels<c10::BFloat16>();
template const Kernels<c10::Half>& kernels<c10::Half>();

const AttentionKernels& attentionKernels() {
  switch (isa()) {
#ifdef ADAPTIVE_HAVE_AVX512
    case Isa::Avx512:
      return AVX512::attentionTable();
    case Isa::Avx2:
      return AVX2::attentionTable();
#endif
    default:
      return DEFAULT::attentionTable();
  }
}

const OptimizerKernels& optimizerKernels() {
  switch (isa()) {
#ifdef ADAPTIVE_HAVE_AVX512
    case Isa::Avx512:
      return AVX512::optimizerTable();
    case Isa::Avx2:
      return AVX2::optimizerTable();
#endif
    default:
      return DEFAULT::optimizerTable();
  }
}

const RandomKernels& randomKernels() {
  switch (isa()) {
#ifdef ADAPTIVE_HAVE_AVX512
    case Isa::Avx512:
      return AVX512::randomTable();
    case Isa::Avx2:
      return AVX2::randomTable();
#endif
    default:
      return DEFAULT::randomTable();
  }
}

}  // namespace adaptive::cpu
