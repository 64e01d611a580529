#pragma once
#include <napi.h>

namespace adaptive::addon {

/// adaptiveLoss(request): the loss on its own, from hidden states and a head given as arrays
/// (src/loss/adaptive-loss.ts).
Napi::Value adaptiveLoss(const Napi::CallbackInfo& info);

}  // namespace adaptive::addon
