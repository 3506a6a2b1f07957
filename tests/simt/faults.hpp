// What the SIMT layer can be told to go wrong with, by the environment:
//   REVOXEL_SIMT_FAULT    no-driver, no-device, old-driver, out-of-memory[:N] (from the N-th allocation on the device
//   on,
//                         1 without it), kernel (the first launch and all that follows), no-pinning
//   REVOXEL_SIMT_DEVICES  devices that there are, 1 without it
//   REVOXEL_SIMT_MEMORY   bytes of each, 1 GiB without it
//   REVOXEL_SIMT_STARTED  set: the process has used a device already, so that small jobs are worth it
#pragma once

#include <cstdint>
#include <string>

namespace revoxel::simt {

/// Whether this fault was asked for. `number`, where not null, becomes what stands behind its colon, 1 without it.
bool fault(const std::string& name, std::int64_t* number = nullptr);

/// Bytes of device memory that are in use, and the most that were since the last call of forget_most_bytes().
std::int64_t device_bytes();
std::int64_t most_device_bytes();
void forget_most_bytes();
/// Allocations on the device since the start of the process.
std::int64_t allocations();

}  // namespace revoxel::simt
