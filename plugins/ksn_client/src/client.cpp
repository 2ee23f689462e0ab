#include "client.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/machine.hpp"

namespace ksn_client {
namespace {
constexpr std::string_view kInstallation = "installation";
}

Client::Client(Host host, std::unique_ptr<ksn_channel::Channel> channel) : host_(std::move(host)), channel_(std::move(channel)) {
  line_ = std::make_unique<Line>(*channel_, [this](const Way* way, std::string_view path, const Error* failure) { attempted(way, path, failure); });
  gate_ = std::make_unique<Gate>(*line_, [this](std::string_view what) { return forbids(what); });
  std::string told;
  outbox_ = std::make_unique<Outbox>(host_.keep, told, [this](std::string_view text) { host_.log(true, text); });
  if (!told.empty()) host_.log(true, told);
  broker_ = std::make_unique<Broker>(Broker::Parts{
      .now = host_.now,
      .post =
          [this](v1::AskRequest request, std::chrono::milliseconds deadline, Line::Accept accept, Line::Done done) {
            gate_->post(what_of(request.questions_size() > 0 ? request.questions(0).kind() : v1::OBJECT_FILE), "/ksn/v1/ask", std::move(request), deadline, believes(std::move(accept)), std::move(done));
          },
      .shut = [this] { return line_->why_shut(); },
      .answered =
          [this](const v1::AskReply& reply) {
            bool any = false;
            for (int i = 0; i < std::min(reply.wishes_size(), 100); ++i) any = outbox_->wish(reply.wishes(i)) || any;
            if (!any) return;
            const std::lock_guard lock(mutex_);
            wake_ = true;
            tick_.notify_all();
          }});
  checker_ = std::make_unique<Checker>(Checker::Parts{
      .broker = *broker_,
      .now = host_.now,
      .may_not = [this](v1::ObjectKind kind) { return forbids(what_of(kind)); },
      .status_line = [this] { return status_of(situation(), host_.now()).line(); },
      .asks =
          [this](const v1::Object& object) {
            if (object.what_case() == v1::Object::kFileDigest && !object.path().empty()) outbox_->seen(object.file_digest(), object.path());
          }});
}

Result<std::unique_ptr<Client>> Client::start(Host host, Settings settings) {
  PICKET_LET(channel, ksn_channel::Channel::start());
  std::unique_ptr<Client> self(new Client(std::move(host), std::move(channel)));
  self->situation_.changed = self->host_.now();
  if (const auto read = self->read_kept(); !read) {
    self->situation_.unread = read.error().message;
    self->host_.log(true, cat("nobody is asked for now: ", read.error().message));
  }
  self->put_in_force(self->derive_at_start(std::move(settings)));
  self->ticker_ = std::thread([raw = self.get()] { raw->run(); });
  return self;
}

Client::~Client() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  tick_.notify_all();
  if (ticker_.joinable()) ticker_.join();
  worker_.stop();
  large_files_.stop();
  broker_->stop();
  line_->cancel_all();
  channel_.reset();  // everything that was under way is told; nobody posts any more
  outbox_->keep_counted(sums());
}

void Client::begin_anew() {
  if (situation_.is_on()) situation_.changed = host_.now();
  situation_.failing_since = 0;
  situation_.failure.clear();
  situation_.licence_refused = unbelieved_ = false;
  greet_at_ = outbox_rests_until_ = 0;
  greeting_ = 0;
  ++beginnings_;
}

void Client::name_asker() {
  const std::lock_guard lock(mutex_);
  const auto now = host_.now();
  const auto machine = picket::machine_mark();
  bool is_kept = true;
  if (installation_.empty()) {
    if (const auto kept = host_.keep.load(kInstallation); kept && kept->size() > 32) {
      const auto raw = picket::from_hex(std::string_view(*kept).substr(0, 32));
      // NUMBER TIME MARK; a copied image draws a number of its own.
      const auto space = kept->find(' ', 33);
      const auto mark = space == kept->npos ? std::string() : kept->substr(space + 1);
      if (raw && (*kept)[32] == ' ' && picket::is_of_this_machine(mark, machine)) {
        installation_ = *raw;
        installation_made_ = std::strtoll(kept->c_str() + 33, nullptr, 10);
        is_kept = mark == machine || machine.empty();
      }
    }
  }
  // A new number now and then: what was asked long ago cannot be joined to what is asked today.
  if (installation_.size() != 16 || now - installation_made_ >= std::chrono::seconds(settings_.installation).count() || is_of_later(installation_made_, now)) {
    installation_ = picket::random_bytes(16);
    installation_made_ = now;
    is_kept = false;
  }
  if (!is_kept) (void)host_.keep.store(kInstallation, cat(picket::to_hex(installation_), " ", std::to_string(installation_made_), " ", machine));
  v1::Asker asker;
  asker.set_licence(settings_.licence);
  asker.set_installation(installation_);
  asker.set_product("picket");
  asker.set_version(host_.version);
  asker.set_extended(settings_.extended);
  gate_->name(std::move(asker));  // still under the lock: the last settings name it last
}

}  // namespace ksn_client
