// What is said of a thousand components, in messages that the bus carries. Pure functions.
#pragma once

#include <string>

#include <picket/update/v1/report.pb.h>
#include <picket/update/v1/sources.pb.h>

namespace picket::update {

// The components behind `after`, by name, as many as fit; with the first of them also all else.
[[nodiscard]] v1::StatusReply page_of(v1::StatusReply whole, const std::string& after);

// The releases that nobody is to have, behind `question.after`, as many as fit; with the first of them also all else.
[[nodiscard]] v1::SourcesReply page_of(v1::SourcesReply whole, const v1::SourcesRequest& question);

// Small enough to be part of a status. Of what there is most, the last go first: who looks whether anything was updated, or failed, still finds it.
[[nodiscard]] v1::RunResult in_one_message(v1::RunResult result);

}  // namespace picket::update
