#pragma once
#include <napi.h>

namespace adaptive::addon {

/// Adds sumOverRanks, writeForRanks, readOfRanks, addForRanks and leaveRanks (their types are in
/// src/engine/addon.ts).
void addRankCalls(Napi::Env env, Napi::Object exports);

}  // namespace adaptive::addon
