#pragma once
#include <cstdint>
#include <initializer_list>

namespace adaptive {

/// Spreads numbers over 64 bits (the finaliser of splitmix64 after each).
inline uint64_t mixed(std::initializer_list<uint64_t> numbers) {
  uint64_t x = 0;
  for (const uint64_t number : numbers) {
    x += number + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
  }
  return x;
}

}  // namespace adaptive
