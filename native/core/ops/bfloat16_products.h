// How libtorch multiplies bfloat16 matrices on this machine, which decides whether bfloat16 pays and what
// memory it takes.
#pragma once

namespace adaptive::ops {

enum class Bfloat16Products {
  /// oneDNN, with instructions for bfloat16 (AVX512-BF16, AMX, AVX-NE-CONVERT, ARM BF16): faster than
  /// float32.
  Native,
  /// oneDNN without such instructions: it gathers the whole product in float32 before it is rounded. Slower
  /// than float32,
  /// and 4 bytes per entry of the product on top.
  Widened,
  /// libtorch's own loops: many times slower than float32.
  Loops,
};

/// Honours ONEDNN_MAX_CPU_ISA (and DNNL_MAX_CPU_ISA) as oneDNN does; constant for the life of the process.
Bfloat16Products bfloat16Products();

}  // namespace adaptive::ops
