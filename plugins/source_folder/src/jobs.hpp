// A probe or a fetch, run to its end on a worker thread: it reads, sends within the credit, and answers.
#pragma once

#include <picket/stream.hpp>

#include <memory>
#include <string_view>

#include "folder.hpp"
#include "picket/source/v1/source.pb.h"

namespace source_folder {

using picket::plugin::Answer;

// Nullopt-like: an error says what is wrong with the request, before any thread is involved.
[[nodiscard]] Outcome<> check(const picket::source::v1::Source& source);

void run_probe(Folder& folder, const picket::source::v1::ProbeRequest& request, Answer& answer);
void run_fetch(Folder& folder, const picket::source::v1::FetchRequest& request, Answer& answer);

}  // namespace source_folder
