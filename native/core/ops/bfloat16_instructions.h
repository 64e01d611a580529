// Whether this machine has instructions for bfloat16, which decides whether bfloat16 pays.
#pragma once

namespace adaptive::ops {

/// Whether libtorch, by way of oneDNN, multiplies bfloat16 matrices with instructions made for them
/// (AVX512-BF16, AMX, AVX-NE-CONVERT, ARM BF16). Without, its products of bfloat16 take 1.25 times those of
/// float32 at best and 90 times at worst. Honours ONEDNN_MAX_CPU_ISA (and DNNL_MAX_CPU_ISA) as oneDNN does;
/// constant for the life of the process.
bool hasBfloat16Instructions();

}  // namespace adaptive::ops
