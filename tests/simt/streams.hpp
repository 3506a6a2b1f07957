// Streams and events of the SIMT layer. In the forward order (simt.hpp) work is done when it is queued. In the others
// it is done as late as it may be, when somebody waits for it, and then only what was queued before: an event that is
// missing, or host memory that is used again too early, shows as a wrong result.
#pragma once

#include <functional>

struct CUstream_st;

namespace revoxel::simt {

/// On stream null: done at once.
void enqueue(CUstream_st* stream, std::function<void()> work);
/// Does all that is queued. Stream null: nothing is.
void finish(CUstream_st* stream);

}  // namespace revoxel::simt
