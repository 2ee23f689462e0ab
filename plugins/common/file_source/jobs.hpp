// A probe or a fetch, run to its end on a worker thread: it reads, sends within the credit, and answers.
#pragma once

#include <picket/stream.hpp>

#include "file_source/store.hpp"
#include "picket/source/v1/source.pb.h"

namespace file_source {

using picket::plugin::Answer;

void run_probe(Store& store, const picket::source::v1::ProbeRequest& request, Answer& answer);
// false: the source itself is not there now, as a drive that is not plugged in.
[[nodiscard]] bool run_fetch(Store& store, const picket::source::v1::FetchRequest& request, Answer& answer);

}  // namespace file_source
