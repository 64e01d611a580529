// The handles of a RankGroup and of MakeCollectives: made by the library of the ranks, taken by the addon.
#pragma once
#include <node_api.h>

namespace adaptive::addon {

// Random numbers: no other addon has them.
inline constexpr napi_type_tag kRanksTag = {0x5d0c8a7e4f1b4c62, 0xb7e3960d2a8c4f15};
inline constexpr napi_type_tag kCollectivesTag = {0x9b41d70c36ea4f88, 0xa5c20e917df34b6d};

}  // namespace adaptive::addon
