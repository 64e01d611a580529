#pragma once
#include <napi.h>

namespace adaptive::addon {

/// cudaDriver(): what NVIDIA's driver says of this machine; libtorch is not needed for it.
///   undefined                        there is no driver
///   {fault}                          its library cannot be used, and why
///   {version, failure?, devices}     the CUDA version that it serves (13000: 13.0), its devices, and the
///   code
///                                    with which it refused to look for them
Napi::Value cudaDriver(const Napi::CallbackInfo& info);

}  // namespace adaptive::addon
