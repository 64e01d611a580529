// The namespace under which libtorch knows this project's operators. It names the version, because two
// versions of the addon may share one process and its libtorch, and libtorch ends a process that defines an
// operator twice.
#pragma once
#include <torch/library.h>

#ifndef ADAPTIVE_OPS
#error "Expected CMakeLists.txt to define ADAPTIVE_OPS."
#endif

// libtorch's own macros turn the name into a string before they expand it.
#define ADAPTIVE_LIBRARY(m) ADAPTIVE_LIBRARY_OF(ADAPTIVE_OPS, m)
#define ADAPTIVE_LIBRARY_OF(name, m) TORCH_LIBRARY(name, m)
#define ADAPTIVE_LIBRARY_IMPL(device, m) ADAPTIVE_LIBRARY_IMPL_OF(ADAPTIVE_OPS, device, m)
#define ADAPTIVE_LIBRARY_IMPL_OF(name, device, m) TORCH_LIBRARY_IMPL(name, device, m)
