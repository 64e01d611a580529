// The tables that each instruction-set variant of the files in cpu/isa defines.
#pragma once
#include "core/ops/cpu/kernels.h"

#define ADAPTIVE_DECLARE_TABLES(ISA)        \
  namespace adaptive::cpu::ISA {            \
  template <class T>                        \
  const Kernels<T>& table();                \
  const AttentionKernels& attentionTable(); \
  const OptimizerKernels& optimizerTable(); \
  const RandomKernels& randomTable();       \
  }

ADAPTIVE_DECLARE_TABLES(DEFAULT)
ADAPTIVE_DECLARE_TABLES(AVX2)
ADAPTIVE_DECLARE_TABLES(AVX512)

#undef ADAPTIVE_DECLARE_TABLES
