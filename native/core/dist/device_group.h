// A RankGroup whose tensors may be of a device as well as of the host.
#pragma once
#include <string>

#include "core/dist/device_collectives.h"

namespace adaptive {

/// Tensors of `device` go to `collectives`, all others and the table of texts to `hosts`. A thread looks
/// after the device's work: where another rank is gone, a work fails or takes longer than the hosts' timeout,
/// it is aborted, for the device would wait for ever, and whoever waits for the device with it.
std::shared_ptr<RankGroup> groupOnDevice(std::shared_ptr<RankGroup> hosts,
                                         std::unique_ptr<DeviceCollectives> collectives, at::Device device);

struct JoinedOnDevice {
  std::shared_ptr<RankGroup> group;
  /// Why tensors go by way of the host; empty: they do not.
  std::string byHostBecause;
};

/// groupOnDevice() with what make() makes, or by way of the host where it cannot at any rank; all ranks call
/// it together. `make`: nothing where this rank has none, which `whyNot` says. Errors: RANKS_FAILED.
JoinedOnDevice joinOnDevice(std::shared_ptr<RankGroup> hosts, at::Device device, const MakeCollectives& make,
                            const std::string& whyNot);

}  // namespace adaptive
