// Weights of 4 and 8 bits back to floats. Included only by files that are compiled once per instruction set.
#pragma once
#if defined(CPU_CAPABILITY_AVX512) || defined(CPU_CAPABILITY_AVX2)
#include <immintrin.h>
#endif

#include <algorithm>

#include "core/ops/cpu/isa/vec.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// The code of an entry: two to a byte, the first in the upper half.
inline uint8_t codeAt(const uint8_t* packed, int64_t entry) {
  const uint8_t byte = packed[entry / 2];
  return entry % 2 == 0 ? byte >> 4 : byte & 15;
}

#if defined(CPU_CAPABILITY_AVX512) && !defined(_MSC_VER)
#define ADAPTIVE_LOOKS_UP 1
/// 16 values of a table of 16.
struct Lookup {
  __m512 table;
  explicit Lookup(const float* codes) : table(_mm512_loadu_ps(codes)) {}
  Vec operator()(const uint8_t* packed) const {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed)), low = _mm_set1_epi8(15);
    const __m128i codes =
        _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
    return _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(codes), table);
  }
};
#elif defined(CPU_CAPABILITY_AVX2) && !defined(_MSC_VER)
#define ADAPTIVE_LOOKS_UP 1
/// 8 values of a table of 16.
struct Lookup {
  __m256 lower, upper;
  explicit Lookup(const float* codes) : lower(_mm256_loadu_ps(codes)), upper(_mm256_loadu_ps(codes + 8)) {}
  Vec operator()(const uint8_t* packed) const {
    int32_t four;
    std::memcpy(&four, packed, sizeof four);
    const __m128i bytes = _mm_cvtsi32_si128(four), low = _mm_set1_epi8(15);
    const __m256i codes = _mm256_cvtepu8_epi32(
        _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low)));
    // The fourth bit of a code, moved to the sign, chooses between the halves of the table.
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, codes), _mm256_permutevar8x32_ps(upper, codes),
                            _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
  }
};
#endif

template <class T>
inline T fromFloat(float value) {
  return static_cast<T>(value);
}

template <class T>
void dequantize4bit(const uint8_t* packed, int64_t first, const float* codes, const float* scales,
                    int64_t blockSize, T* out, int64_t count) {
#ifdef ADAPTIVE_LOOKS_UP
  const Lookup lookup(codes);
#endif
  for (int64_t done = 0; done < count;) {
    const int64_t begin = first + done, block = begin / blockSize;
    const int64_t end = std::min(first + count, (block + 1) * blockSize);
    const float scale = scales[block];
    int64_t entry = begin;
#ifdef ADAPTIVE_LOOKS_UP
    if (entry % 2 == 1) {
      out[done] = fromFloat<T>(codes[codeAt(packed, entry)] * scale);
      entry++;
    }
    for (; entry + kVec <= end; entry += kVec)
      store(out + (entry - first), lookup(packed + entry / 2) * Vec(scale));
#endif
    for (; entry < end; entry++) out[entry - first] = fromFloat<T>(codes[codeAt(packed, entry)] * scale);
    done = end - first;
  }
}

template <class T>
void dequantize8bit(const int8_t* values, float scale, T* out, int64_t count) {
  // As bitsandbytes does it: times the scale, then times 1/127.
  for (int64_t i = 0; i < count; i++)
    out[i] = fromFloat<T>(static_cast<float>(values[i]) * scale * 7.874015718698502e-3f);
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
