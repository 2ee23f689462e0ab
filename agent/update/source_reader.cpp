#include "update/source_reader.hpp"

#include <picket/source/v1/source.pb.h>

#include "base/bytes.hpp"
#include "base/fetching.hpp"
#include "base/progress.hpp"

namespace picket::update {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kWindow = 1u << 20;             // bytes in flight: enough for a busy disk, little enough for memory
constexpr std::size_t kMostWords = 1000;                // of a plugin's own words, which go into all that is told of the run
constexpr milliseconds kWhole{86'400'000};              // the bus's longest; a transfer that moves may take its time

std::string in_seconds(milliseconds time) { return cat(std::to_string(time.count() / 1000), " s"); }

}  // namespace

ReadLimits limits_of(const Settings& settings, const SourceEntry& source, std::string told) {
  ReadLimits out{source.connect_timeout.value_or(settings.connect_timeout), source.stall_timeout.value_or(settings.stall_timeout), settings.min_bytes_per_second, std::move(told)};
  if (out.connect_timeout.count() == 0) out.connect_timeout = out.stall_timeout;
  return out;
}

SourceReader::SourceReader(bus::Caller& caller, const core::Clock& clock, SourceEntry source, ReadLimits limits, core::CancelToken cancel)
    : caller_(caller), clock_(clock), source_(std::move(source)), limits_(std::move(limits)), cancel_(std::move(cancel)) {
  if (limits_.connect_timeout.count() == 0) limits_.connect_timeout = limits_.stall_timeout;
}

std::unique_ptr<SourceReader> SourceReader::another() const {
  auto out = std::make_unique<SourceReader>(caller_, clock_, source_, limits_, cancel_);
  out->on_note = on_note;
  out->arrivals_ = arrivals_;
  return out;
}

Result<SourceReader::Got> SourceReader::read(std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) {
  wish_.reset();
  source::v1::FetchRequest question;
  question.mutable_source()->set_name(source_.name);
  question.mutable_source()->set_location(source_.location);
  question.mutable_source()->set_options_json(source_.options_json);
  question.set_path(std::string(path));
  question.set_offset(offset);
  question.set_max_bytes(max_bytes);
  question.set_connect_timeout_ms(static_cast<std::uint32_t>(limits_.connect_timeout.count()));
  question.set_stall_timeout_ms(static_cast<std::uint32_t>(limits_.stall_timeout.count()));
  question.set_min_bytes_per_second(limits_.min_bytes_per_second);
  question.set_told(limits_.told);
  const auto payload = question.SerializeAsString();
  const Pace::Limits least{limits_.stall_timeout, limits_.min_bytes_per_second};
  Pace pace(least, clock_.monotonic());
  auto opened = caller_.open({.topic = "picket.source.fetch", .to = source_.plugin,
                              .content_type = "application/x-protobuf; messageType=picket.source.v1.FetchRequest", .payload = payload, .timeout = kWhole},
                             kWindow, cancel_);
  // No plugin to ask is never "the source says that the file is not there": that would end a root rotation early.
  if (!opened) {
    auto error = std::move(opened).error();
    if (error.code == Code::not_found) error.code = Code::unavailable;
    return fail(std::move(error), cat("plugin ", source_.plugin));
  }
  auto& stream = **opened;
  Got got;
  // The plugin watches its own connection, and may make another one in the middle; being cut off by the host is for a plugin that hangs.
  const auto patience = limits_.connect_timeout + limits_.stall_timeout + milliseconds(1000);
  auto arrivals = arrivals_->load();
  for (;;) {
    const auto asked = std::chrono::steady_clock::now();
    auto chunk = stream.next(patience);
    if (!chunk) {
      if (const auto now = arrivals_->load(); chunk.error().code == Code::timeout && got.bytes == 0 && now != arrivals) {
        arrivals = now;
        pace = Pace(least, clock_.monotonic());
        continue;
      }
      // The plugin's own timeout comes earlier and says more.
      if (chunk.error().code == Code::timeout && std::chrono::steady_clock::now() - asked >= patience)
        return fail(Code::timeout, cat(source_.plugin, " sent nothing for ", in_seconds(patience)));
      wish_ = retry_after(stream.reply().content_type);
      return fail(chunk.error().code, shortened(chunk.error().message, kMostWords));
    }
    if (!*chunk) break;
    const auto bytes = (*chunk)->payload();
    received_ += bytes.size();
    ++*arrivals_;
    if (bytes.size() > max_bytes - got.bytes)
      return fail(Code::too_large, cat("sends more than the ", human_bytes(max_bytes), " it was asked for"));
    got.bytes += bytes.size();
    PICKET_TRY(pace.arrived(bytes.size(), clock_.monotonic()));
    PICKET_TRY(sink(bytes));
  }
  source::v1::FetchReply answer;
  if (!answer.ParseFromString(stream.reply().payload)) return fail(Code::invalid, cat(source_.plugin, " answered something that is no FetchReply"));
  if (answer.sent() != got.bytes)
    return fail(Code::io, cat(source_.plugin, " says it sent ", std::to_string(answer.sent()), " bytes, but ", std::to_string(got.bytes), " arrived"));
  got.offset = answer.offset();
  got.size = answer.size();
  got.from = answer.from();
  if (on_note)
    for (const auto& note : answer.notes()) on_note(path, note);
  return got;
}

Result<std::string> SourceReader::fetch_metadata(std::string_view path, std::uint64_t max_bytes) {
  std::string bytes;
  auto got = read(cat("metadata/", path), 0, max_bytes + 1, [&](std::string_view chunk) -> Result<> {
    bytes.append(chunk);
    if (bytes.size() > max_bytes) return fail(Code::too_large, cat("is longer than the limit of ", human_bytes(max_bytes)));
    return {};
  });
  if (on_metadata) on_metadata(path, got ? std::string_view("read") : std::string_view(got.error().message));
  if (!got) return fail(std::move(got).error());
  return bytes;
}

std::string target_url_path(std::string_view target_path) { return cat("targets/", percent_encoded(target_path, "/")); }

}  // namespace picket::update
