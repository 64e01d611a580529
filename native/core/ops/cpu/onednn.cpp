#include "core/ops/onednn.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <oneapi/dnnl/dnnl_types.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace adaptive::ops {
namespace {

/// Whether libtorch hands bfloat16 products to oneDNN at all. A build without oneDNN lacks the operator.
bool goesToOneDnn() {
  const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_is_mkldnn_bf16_supported", ""});
  return schema && schema->typed<bool()>().call();
}

#if defined(__x86_64__) || defined(_M_X64)

/// Leaf 7 of cpuid: eax, ebx, ecx, edx; zeros where the CPU has no such subleaf.
struct Features {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Features featuresOf(unsigned subleaf) {
  Features f;
#ifdef _MSC_VER
  int registers[4];
  __cpuid(registers, 0);
  if (registers[0] < 7) return f;
  __cpuidex(registers, 7, 0);
  if (static_cast<unsigned>(registers[0]) < subleaf) return f;
  __cpuidex(registers, 7, static_cast<int>(subleaf));
  return {static_cast<unsigned>(registers[0]), static_cast<unsigned>(registers[1]),
          static_cast<unsigned>(registers[2]), static_cast<unsigned>(registers[3])};
#else
  if (!__get_cpuid_count(7, 0, &f.eax, &f.ebx, &f.ecx, &f.edx) || f.eax < subleaf) return {};
  __get_cpuid_count(7, subleaf, &f.eax, &f.ebx, &f.ecx, &f.edx);
  return f;
#endif
}

bool has(unsigned features, unsigned bit) { return (features >> bit & 1) != 0; }

/// What oneDNN was told to use at most; of the caps, those that leave out some instructions for bfloat16.
unsigned onednnCap() {
  static constexpr std::pair<const char*, unsigned> caps[] = {
      {"sse41", dnnl_cpu_isa_sse41},
      {"avx", dnnl_cpu_isa_avx},
      {"avx2", dnnl_cpu_isa_avx2},
      {"avx2_vnni", dnnl_cpu_isa_avx2_vnni},
      {"avx2_vnni_2", dnnl_cpu_isa_avx2_vnni_2},
      {"avx512_core", dnnl_cpu_isa_avx512_core},
      {"avx512_core_vnni", dnnl_cpu_isa_avx512_core_vnni},
      {"avx512_core_bf16", dnnl_cpu_isa_avx512_core_bf16},
  };
  const char* given = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (given == nullptr || *given == 0) given = std::getenv("DNNL_MAX_CPU_ISA");
  std::string name = given == nullptr ? "" : given;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto* found =
      std::find_if(std::begin(caps), std::end(caps), [&](const auto& cap) { return cap.first == name; });
  return found == std::end(caps) ? ~0U : found->second;
}

/// As oneDNN asks: AVX512-BF16 counts with VNNI (AMX implies both), AVX-NE-CONVERT with both kinds of VNNI.
/// The registers themselves need no question: oneDNN, asked before, takes bfloat16 only where the system
/// saves them.
bool hasInstructions() {
  const Features base = featuresOf(0), more = featuresOf(1);
  const unsigned cap = onednnCap();
  const auto allows = [cap](unsigned isa) { return (cap & isa) == isa; };
  const bool avx512 = has(base.ecx, 11) && has(more.eax, 5);
  const bool avx2 = has(more.eax, 4) && has(more.edx, 4) && has(more.edx, 5);
  return (avx512 && allows(dnnl_cpu_isa_avx512_core_bf16)) || (avx2 && allows(dnnl_cpu_isa_avx2_vnni_2));
}

/// Leaf 0 of cpuid spells the maker in ebx, edx, ecx.
bool isIntels() {
  char name[13] = {};
#ifdef _MSC_VER
  int registers[4];
  __cpuid(registers, 0);
  const int parts[] = {registers[1], registers[3], registers[2]};
#else
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx)) return false;
  const unsigned parts[] = {ebx, edx, ecx};
#endif
  std::memcpy(name, parts, 12);
  return std::strcmp(name, "GenuineIntel") == 0;
}

/// oneDNN takes AVX-512 with DQ, BW and VL.
bool beatsMkl() {
  const unsigned ebx = featuresOf(0).ebx;
  return at::hasMKL() && !isIntels() && has(ebx, 16) && has(ebx, 17) && has(ebx, 30) && has(ebx, 31) &&
         (onednnCap() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

#else

/// No MKL there.
bool beatsMkl() { return false; }

/// On ARM oneDNN takes bfloat16 where the CPU has the instructions, and nowhere else.
bool hasInstructions() { return true; }

#endif

}  // namespace

bool hasBfloat16Instructions() {
  static const bool found = goesToOneDnn() && hasInstructions();
  return found;
}

bool multipliesFloat32Faster() {
  // goesToOneDnn, for it also asks whether the system saves the registers.
  static const bool found = goesToOneDnn() && beatsMkl();
  return found;
}

}  // namespace adaptive::ops
