#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/digest.hpp"
#include "outbox.hpp"

namespace ksn_proxy {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
namespace fs = std::filesystem;

// Head of a message: "PKSM", sequence, taken, kind, size of the body, then 16 hex digits of the SHA-256 over all that and the body.
constexpr std::string_view kMagic = "PKSM";
constexpr std::size_t kSummed = 4 + 8 + 8 + 1 + 4, kHeadBytes = kSummed + 16;
constexpr std::uint32_t kMostMessage = 2u << 20;
constexpr std::uint64_t kMostDone = 1u << 16;  // bytes of "delivered" before it is written anew

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
std::uint64_t get(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t out = 0;
  for (int i = 0; i < count; ++i) out |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)])) << (8 * i);
  return out;
}

std::string sum_of(std::string_view head, std::string_view body) {
  picket::Digest digest;
  digest.update(head.substr(0, kSummed));
  digest.update(body);
  return digest.finish_hex().substr(0, 16);
}

std::string frame(std::uint64_t sequence, const Message& message) {
  std::string out(kMagic);
  out.reserve(kHeadBytes + message.body.size());
  put(out, sequence, 8);
  put(out, static_cast<std::uint64_t>(message.taken), 8);
  put(out, static_cast<std::uint64_t>(message.kind), 1);
  put(out, message.body.size(), 4);
  out += sum_of(out, message.body);
  return out += message.body;
}

// The size of the whole message that begins here; 0: none does.
std::size_t whole_at(std::string_view bytes, std::uint64_t& sequence, Message& out) {
  if (bytes.size() < kHeadBytes || !bytes.starts_with(kMagic)) return 0;
  const auto size = get(bytes, 21, 4);
  if (size > kMostMessage || bytes.size() - kHeadBytes < size) return 0;
  const auto body = bytes.substr(kHeadBytes, size);
  const auto kind = get(bytes, 20, 1);
  if ((kind != 1 && kind != 2) || sum_of(bytes, body) != bytes.substr(kSummed, 16)) return 0;
  sequence = get(bytes, 4, 8);
  out = {static_cast<MessageKind>(kind), static_cast<std::int64_t>(get(bytes, 12, 8)), std::string(body)};
  return kHeadBytes + size;
}

}  // namespace

fs::path Outbox::file_of(std::uint64_t number) const {
  auto digits = std::to_string(number);
  return folder_ / cat(std::string(12 - std::min<std::size_t>(12, digits.size()), '0'), digits, ".messages");
}

Result<Outbox> Outbox::open(const fs::path& folder, Limits limits, const std::function<void(const Message&)>& show) {
  PICKET_TRY(picket::make_folders(folder, 0750));
  picket::remove_leftovers(folder);
  Outbox out(folder, limits);
  if (auto loaded = out.load(show); !loaded) return fail(std::move(loaded).error(), cat("messages that wait in ", folder.native()));
  return out;
}

Result<> Outbox::load(const std::function<void(const Message&)>& show) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (auto it = fs::directory_iterator(folder_, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    const auto name = it->path().filename().native();
    std::uint64_t number = 0;
    if (!name.ends_with(".messages") || std::from_chars(name.data(), name.data() + name.size() - 9, number).ptr != name.data() + name.size() - 9) continue;
    numbers.push_back(number);
  }
  if (error) return fail(Code::io, error.message());
  std::sort(numbers.begin(), numbers.end());

  // What is delivered: the greatest number of those that stand there whole.
  std::uint64_t delivered = 0;
  const auto done_file = folder_ / "delivered";
  if (auto text = picket::read_file(done_file, 16 * kMostDone); text) {
    for (std::size_t at = 0; at + 16 <= text->size(); at += 16)
      if (get(*text, at, 8) == ~get(*text, at + 8, 8)) delivered = std::max(delivered, get(*text, at, 8));
  } else if (text.error().code != Code::not_found && text.error().code != Code::too_large) {
    return fail(std::move(text).error());
  }
  next_sequence_ = delivered + 1;
  for (std::size_t i = 0; i < numbers.size(); ++i) PICKET_TRY(load_segment(numbers[i], i + 1 == numbers.size(), delivered, show));
  if (!numbers.empty()) next_segment_ = numbers.back() + 1;

  std::string start;
  put(start, delivered, 8);
  put(start, ~delivered, 8);
  PICKET_TRY(picket::write_file_atomic(done_file, start, 0640));
  done_.reset(::open(done_file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!done_) return picket::fail_errno("open delivered");
  done_bytes_ = start.size();
  return {};
}

Result<> Outbox::load_segment(std::uint64_t number, bool is_last, std::uint64_t delivered, const std::function<void(const Message&)>& show) {
  const auto file = file_of(number);
  PICKET_LET(bytes, picket::read_file(file, limits_.segment_bytes + kMostMessage + kHeadBytes));
  Segment segment{number, bytes.size(), 0};
  bool damaged = false;
  const std::string_view all(bytes);
  for (std::size_t at = 0; at < all.size();) {
    std::uint64_t sequence = 0;
    Message message;
    if (const auto size = whole_at(all.substr(at), sequence, message); size != 0) {
      next_sequence_ = std::max(next_sequence_, sequence + 1);
      if (sequence > delivered) {
        places_.push_back({sequence, number, at, static_cast<std::uint32_t>(size)});
        ++segment.left;
        ++counters_.waiting;
        counters_.waiting_bytes += size;
        show(message);
      }
      at += size;
      continue;
    }
    // Behind it may stand others that are whole.
    auto next = all.find(kMagic, at + 1);
    std::uint64_t ignored = 0;
    while (next != all.npos && whole_at(all.substr(next), ignored, message) == 0) next = all.find(kMagic, next + 1);
    if (next == all.npos && is_last && !damaged) {
      if (::truncate(file.c_str(), static_cast<off_t>(at)) != 0) return picket::fail_errno("cut a torn message off");
      segment.bytes = at;
      break;
    }
    const auto end = next == all.npos ? all.size() : next;
    ++counters_.damaged;
    counters_.damaged_bytes += end - at;
    damaged = true;
    at = end;
  }
  if (damaged) {
    std::error_code error;
    fs::copy_file(file, fs::path(file).concat(".damaged"), fs::copy_options::overwrite_existing, error);
  }
  if (segment.left == 0) return picket::remove_file(file);
  segments_.push_back(segment);
  return {};
}

Result<> Outbox::open_segment() {
  const auto file = file_of(next_segment_);
  picket::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640));
  if (!fd) return picket::fail_errno(cat("make ", file.native()));
  PICKET_TRY(picket::sync_folder(folder_));
  out_ = std::move(fd);
  segments_.push_back({next_segment_++, 0, 0});
  return {};
}

std::uint64_t Outbox::bytes_with(const Message& message) const {
  std::uint64_t out = kHeadBytes + message.body.size();
  for (const auto& segment : segments_) out += segment.bytes;
  return out;
}

Result<> Outbox::append(const Message& message) {
  if (message.body.size() > kMostMessage) return fail(Code::too_large, "a message of more than 2 MiB");
  if (bytes_with(message) > limits_.bytes) return fail(Code::no_space, "the messages that wait have filled their room");
  if (!out_ || segments_.empty() || segments_.back().bytes >= limits_.segment_bytes) {
    flush();
    if (!flushed_) return flushed_;  // nothing more is taken before sync() has told
    PICKET_TRY(open_segment());
  }
  auto& segment = segments_.back();
  const auto bytes = frame(next_sequence_, message);
  if (auto written = picket::write_all(out_.get(), bytes); !written) {
    // Half a message must not stand before the next one.
    if (::ftruncate(out_.get(), static_cast<off_t>(segment.bytes)) != 0) out_.reset();
    return written;
  }
  places_.push_back({next_sequence_++, segment.number, segment.bytes, static_cast<std::uint32_t>(bytes.size())});
  segment.bytes += bytes.size();
  ++segment.left;
  ++unsynced_;
  ++counters_.waiting;
  counters_.waiting_bytes += bytes.size();
  return {};
}

void Outbox::flush() {
  if (out_ && flushed_ && (limits_.flush ? limits_.flush : ::fdatasync)(out_.get()) != 0) flushed_ = picket::fail_errno("write messages to disk");
}

Result<> Outbox::sync() {
  flush();
  if (!flushed_) take_back();
  unsynced_ = 0;
  return std::exchange(flushed_, {});
}

// A file that cannot be cut is read again some time: what was sent twice counts once.
void Outbox::take_back() {
  out_.reset();
  for (; unsynced_ > 0; --unsynced_) {
    const auto place = places_.back();
    places_.pop_back();
    for (; segments_.back().number != place.segment; segments_.pop_back()) (void)picket::remove_file(file_of(segments_.back().number));  // begun in vain
    auto& segment = segments_.back();
    segment.bytes = place.offset;
    --counters_.waiting;
    counters_.waiting_bytes -= place.size;
    if (--segment.left > 0) {
      (void)!::truncate(file_of(segment.number).c_str(), static_cast<off_t>(segment.bytes));
      continue;
    }
    (void)picket::remove_file(file_of(segment.number));
    segments_.pop_back();
  }
}

Result<std::optional<Message>> Outbox::front() const {
  if (places_.empty()) return std::optional<Message>();
  const auto& place = places_.front();
  const picket::UniqueFd fd(::open(file_of(place.segment).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return picket::fail_errno("read a message");
  std::string bytes(place.size, '\0');
  for (std::size_t have = 0; have < bytes.size();) {
    const auto count = ::pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(place.offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(Code::io, "a message that waits is gone from the disk");
    have += static_cast<std::size_t>(count);
  }
  std::uint64_t sequence = 0;
  Message out;
  if (whole_at(bytes, sequence, out) != bytes.size() || sequence != place.sequence) return fail(Code::untrusted, "a message that waits is damaged");
  return std::optional<Message>(std::move(out));
}

Result<> Outbox::drop() {
  if (places_.empty()) return {};
  const auto place = places_.front();
  places_.pop_front();
  --counters_.waiting;
  counters_.waiting_bytes -= place.size;
  std::string done;
  put(done, place.sequence, 8);
  put(done, ~place.sequence, 8);
  if (done_bytes_ >= kMostDone) {
    PICKET_TRY(picket::write_file_atomic(folder_ / "delivered", done, 0640));
    done_.reset(::open((folder_ / "delivered").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!done_) return picket::fail_errno("open delivered");
    done_bytes_ = done.size();
  } else {
    PICKET_TRY(picket::write_all(done_.get(), done));
    done_bytes_ += done.size();
  }
  // A file that was begun when the disk was full has nothing in it.
  for (; segments_.front().number != place.segment; segments_.pop_front()) PICKET_TRY(picket::remove_file(file_of(segments_.front().number)));
  if (--segments_.front().left > 0) return {};
  const auto number = segments_.front().number;
  if (segments_.size() == 1) out_.reset();  // the next message begins a new file
  segments_.pop_front();
  return picket::remove_file(file_of(number));
}

}  // namespace ksn_proxy
