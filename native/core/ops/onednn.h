// What oneDNN, which libtorch brings, does better on this CPU than what libtorch would choose.
#pragma once

namespace adaptive::ops {

/// Whether libtorch, by way of oneDNN, multiplies bfloat16 matrices with instructions made for them
/// (AVX512-BF16, AMX, AVX-NE-CONVERT, ARM BF16). Without, its products of bfloat16 take 1.25 times those of
/// float32 at best and 90 times at worst. Honours ONEDNN_MAX_CPU_ISA (and DNNL_MAX_CPU_ISA) as oneDNN does;
/// constant for the life of the process.
bool hasBfloat16Instructions();

/// Whether oneDNN multiplies float32 matrices faster than at::mm: on CPUs with AVX-512 that are not Intel's,
/// where MKL stays at AVX2. (On an EPYC of the fifth generation 2.2 times; with AVX2 alone they are equal.)
/// Honours ONEDNN_MAX_CPU_ISA; constant for the life of the process.
bool multipliesFloat32Faster();

}  // namespace adaptive::ops
