#pragma once
#include <napi.h>

namespace adaptive::addon {

/// createModel(config): a decoder with weights not yet loaded (src/native/addon.ts has the types).
Napi::Value createModel(const Napi::CallbackInfo& info);

}  // namespace adaptive::addon
