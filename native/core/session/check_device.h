#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace adaptive {

/// Trains a model of some thousand weights for two steps on a device and on the CPU, in each type that is
/// computed in, and lets both generate. → what differs first by more than rounding explains, with both
/// numbers; empty where nothing does. Seconds at most. Errors: what computing on the device throws.
std::string differenceOnDevice(at::Device device);

}  // namespace adaptive
