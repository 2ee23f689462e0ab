#include <algorithm>

#include <sys/stat.h>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "sample_picketd.hpp"

namespace picket::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct KsnCommands : testing::Test {
  CtlPicketd picketd;
  CtlRan run(std::vector<std::string> arguments, const core::CancelToken& cancel = {}) {
    arguments.insert(arguments.end(), {"--socket", picketd.socket()});
    return run_ctl(std::move(arguments), cancel, sample_now);
  }
};

TEST_F(KsnCommands, status_says_word_cause_since_and_next_attempt) {
  answer_everything(picketd);
  picketd.start();
  const auto ran = run({"ksn", "status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Enabled. Not available"), HasSubstr("no network"), HasSubstr("1 h"), HasSubstr("in 1 min"), HasSubstr("Our KSN, ksn@example.org"),
                             HasSubstr("declined by ann"), HasSubstr("KSN is used under version 1"), HasSubstr("files 12")));
}

TEST_F(KsnCommands, status_shows_each_counter_within_a_hundred_columns) {
  auto status = sample_ksn();
  for (int i = 10; i < 30; ++i) (*status.mutable_counters())[cat("counter_", std::to_string(i))] = 1'000'000;
  status.set_line("Enabled");
  picketd.answer_with("picket.ksn.status", status);
  picketd.start();
  const auto ran = run({"ksn", "status"});
  for (int i = 10; i < 30; ++i) EXPECT_THAT(ran.out, HasSubstr(cat("counter_", std::to_string(i), " 1000000")));
  EXPECT_THAT(ran.out, Not(testing::ContainsRegex("[^\n]{101}")));
}

TEST_F(KsnCommands, status_points_to_why_there_is_no_statement) {
  auto status = sample_ksn();
  status.clear_statement();
  picketd.answer_with("picket.ksn.status", status);
  picketd.start();
  EXPECT_THAT(run({"ksn", "status"}).out, HasSubstr("missing; picketctl ksn statement show says why"));
}

TEST_F(KsnCommands, status_names_a_provider_without_a_contact) {
  auto status = sample_ksn();
  status.mutable_provider()->clear_contact();
  picketd.answer_with("picket.ksn.status", status);
  picketd.start();
  EXPECT_THAT(run({"ksn", "status"}).out, HasSubstr("Our KSN, file of "));
}

TEST_F(KsnCommands, check_asks_a_file_by_its_content_and_says_when_something_is_untrusted) {
  ksn::v1::CheckRequest asked;
  picketd.answer<ksn::v1::CheckRequest>("picket.ksn.check", [&](const ksn::v1::CheckRequest& request) -> Result<std::string> {
    asked = request;
    ksn::v1::CheckReply reply;
    for (int i = 0; i < request.objects_size(); ++i) *reply.add_checked() = sample_checked().checked(0);
    return reply.SerializeAsString();
  });
  picketd.start();
  const auto file = picketd.folder() / "program";
  ASSERT_TRUE(write_file_atomic(file, "content"));
  const auto ran = run({"ksn", "check", file.native(), std::string(64, 'A'), "http://example.org/x", "software:Acme/Tool"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  ASSERT_EQ(asked.objects_size(), 4);
  EXPECT_EQ(to_hex(asked.objects(0).file_digest()), sha256_hex("content"));
  EXPECT_EQ(asked.objects(0).path(), std::filesystem::canonical(file).native());
  EXPECT_EQ(to_hex(asked.objects(1).file_digest()), std::string(64, 'a'));
  EXPECT_EQ(asked.objects(2).address(), "http://example.org/x");
  EXPECT_EQ(asked.objects(3).software().publisher(), "Acme");
  EXPECT_EQ(asked.objects(3).software().product(), "Tool");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("untrusted"), HasSubstr("42 users (very rare)"), HasSubstr("high restricted"), HasSubstr("it is not signed"), HasSubstr("DE"), HasSubstr("proxy, Our KSN (Private KSN)"), Not(HasSubstr("\x1b[31m"))));
}

TEST_F(KsnCommands, check_of_a_file_that_takes_long_to_read_ends_with_ctrl_c) {
  picketd.start();
  const auto file = picketd.folder() / "large";
  ASSERT_TRUE(write_file_atomic(file, ""));
  std::filesystem::resize_file(file, std::uint64_t{256} << 30);  // a hole
  core::CancelSource cancel;
  cancel.cancel();
  EXPECT_EQ(run({"ksn", "check", file.native(), "example.org"}, cancel.token()).code, 130);
}

TEST_F(KsnCommands, check_asks_about_hosts_without_a_dot) {
  std::vector<std::string> asked;
  picketd.answer<ksn::v1::CheckRequest>("picket.ksn.check", [&](const ksn::v1::CheckRequest& request) -> Result<std::string> {
    for (const auto& object : request.objects()) asked.push_back(object.address());
    return sample_checked().SerializeAsString();
  });
  picketd.start();
  const std::vector<std::string> words{"localhost:8080/x", "http://intranet/", "intranet:8080", "example.org"};
  for (const auto& word : words) EXPECT_EQ(run({"ksn", "check", word}).code, 4) << word;
  EXPECT_EQ(asked, words);
}

TEST_F(KsnCommands, check_asks_in_as_many_messages_as_the_bus_needs) {
  std::vector<int> asked;
  picketd.answer<ksn::v1::CheckRequest>("picket.ksn.check", [&](const ksn::v1::CheckRequest& request) -> Result<std::string> {
    asked.push_back(request.objects_size());
    if (request.objects_size() > 1500) return fail(Code::too_large, "the answer is too long");
    ksn::v1::CheckReply reply;
    for (int i = 0; i < request.objects_size(); ++i) reply.add_checked()->set_from(ksn::v1::Checked::CACHE);
    return reply.SerializeAsString();
  });
  picketd.start();
  std::vector<std::string> arguments{"ksn", "check"};
  for (int i = 0; i < 5000; ++i) arguments.emplace_back(64, 'a');
  const auto ran = run(arguments);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(asked, testing::ElementsAre(2000, 1000, 1000, 1000, 1000, 1000));
}

TEST_F(KsnCommands, software_says_whose_a_program_is_and_which_object_decided) {
  ksn::v1::SoftwareRequest asked;
  auto reply = sample_software();
  picketd.answer<ksn::v1::SoftwareRequest>("picket.ksn.software", [&](const ksn::v1::SoftwareRequest& request) -> Result<std::string> {
    asked = request;
    return reply.SerializeAsString();
  });
  picketd.start();
  const auto file = picketd.folder() / "program";
  ASSERT_TRUE(write_file_atomic(file, "content"));
  std::filesystem::create_symlink(file, picketd.folder() / "link");
  auto ran = run({"ksn", "software", (picketd.folder() / "link").native()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(asked.path(), std::filesystem::canonical(file).native());
  EXPECT_THAT(ran.out, AllOf(HasSubstr("trusted: Tool of Acme"), HasSubstr("its publisher and product"), HasSubstr("Acme, Tool, by dpkg\n"), HasSubstr("250000 users (frequent)"),
                             HasSubstr("trusted (cache, Our KSN (Private KSN))"), HasSubstr("unknown (server)"), Not(HasSubstr("\x1b[31m"))));
  reply.set_decided_by("file");
  reply.mutable_file()->mutable_facts()->set_verdict(ksn::v1::VERDICT_UNTRUSTED);
  ran = run({"ksn", "software", file.native()});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.out, HasSubstr("its content"));
  reply.set_decided_by("");
  reply.set_signature_valid(false);
  reply.mutable_file()->set_from(ksn::v1::Checked::NOBODY);
  reply.mutable_file()->set_why("no network");
  ran = run({"ksn", "software", file.native()});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("no answer: no network"), HasSubstr("by dpkg, not confirmed"), Not(HasSubstr("Decided by"))));
  ran = run({"ksn", "software", "./no-such-file"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("./no-such-file: No such file"));
  EXPECT_THAT(run({"ksn", "software", ""}).err, HasSubstr("an empty name names nothing"));
}

TEST_F(KsnCommands, decline_says_when_an_earlier_version_stays_in_force) {
  answer_everything(picketd);
  ksn::v1::DecideReply reply;
  reply.mutable_statement()->set_version("2");
  reply.mutable_statement()->set_decision("declined");
  reply.set_status("Enabled");
  picketd.answer<ksn::v1::DecideRequest>("picket.ksn.decide", [&](const ksn::v1::DecideRequest&) -> Result<std::string> { return reply.SerializeAsString(); });
  picketd.start();
  EXPECT_THAT(run({"ksn", "statement", "decline"}).out, Not(HasSubstr("you stay")));
  reply.mutable_statement()->set_accepted_version("1");
  EXPECT_THAT(run({"ksn", "statement", "decline"}).out, HasSubstr("you stay under version 1, which was accepted before: picketctl ksn disable ends it\n"));
}

TEST_F(KsnCommands, last_sent_says_when_it_was_not_taken) {
  ksn::v1::SentReply sent;
  sent.set_last(R"({"path":"/ksn/v1/hello"})");
  sent.set_last_when(sample_now - 5);
  sent.set_last_to("proxy ksn.site:13111");
  picketd.answer_with("picket.ksn.sent", sent);
  picketd.start();
  EXPECT_THAT(run({"ksn", "last-sent"}).out, HasSubstr("to proxy ksn.site:13111, which did not take it, or not yet:"));
}

TEST_F(KsnCommands, last_sent_asks_for_each_message_by_itself_and_shows_every_digest) {
  const auto message = [](unsigned digests) {
    std::string out = R"({"path":"/ksn/v1/ask","questions":[{"kind":"file","length":32,"digests":[)";
    for (unsigned i = 0; i < digests; ++i) out += cat(i == 0 ? "" : ",", "\"", sha256_hex(std::to_string(i)), "\"");
    return out + "]}]}";
  };
  picketd.answer<ksn::v1::SentRequest>("picket.ksn.sent", [&](const ksn::v1::SentRequest& request) -> Result<std::string> {
    ksn::v1::SentReply reply;
    if (request.what() == ksn::v1::SentRequest::BOTH) return fail(Code::too_large, "both");
    if (request.what() == ksn::v1::SentRequest::LAST) reply.set_last(message(1000)), reply.set_last_when(sample_now), reply.set_last_taken(true);
    else reply.set_next(message(999));
    return reply.SerializeAsString();
  });
  picketd.start();
  const auto ran = run({"ksn", "last-sent"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 2 * (1 + 3) + 1999) << ran.out.substr(0, 1000);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("  questions.kind = \"file\"\n"), HasSubstr(cat("\n    ", sha256_hex("999"), "\nnext, as it would go now:\n"))));
  const auto data = boost::json::parse(run({"--json", "ksn", "last-sent"}).out).at("data");
  EXPECT_EQ(std::string(data.at("last").as_string()), message(1000));
  EXPECT_EQ(std::string(data.at("next").as_string()), message(999));
}

TEST_F(KsnCommands, check_says_why_nobody_answered) {
  ksn::v1::CheckReply reply;
  reply.add_checked()->set_why("Disabled: the KSN statement is not accepted");
  reply.set_status("Disabled: the KSN statement is not accepted");
  picketd.answer_with("picket.ksn.check", reply);
  picketd.start();
  const auto ran = run({"ksn", "check", std::string(64, 'a')});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.out, HasSubstr("the KSN statement is not accepted"));
  EXPECT_EQ(run({"ksn", "check", "./no-such-file"}).code, 1);
  for (const auto* word : {"nonsense", "notes/todo", "../no.such.file", "user:name"}) {
    EXPECT_THAT(run({"ksn", "check", word}).err, HasSubstr("no such file, and neither a SHA-256 nor a web address (a host without a dot: http://HOST/)")) << word;
  }
  EXPECT_THAT(run({"ksn", "check", ""}).err, HasSubstr("an empty name names nothing"));
  EXPECT_THAT(run({"ksn", "check", "/"}).err, HasSubstr("picketctl scan"));
  EXPECT_THAT(run({"ksn", "check", "/dev/null"}).err, HasSubstr("/dev/null: a device has no content to ask about"));
  const auto fifo = picketd.folder() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(run({"ksn", "check", fifo.native()}).err, HasSubstr("a FIFO has no content to ask about"));
}

TEST_F(KsnCommands, check_answers_for_the_others_when_one_cannot_be_asked_about) {
  auto answer = ksn::v1::VERDICT_TRUSTED;
  picketd.answer<ksn::v1::CheckRequest>("picket.ksn.check", [&](const ksn::v1::CheckRequest& request) -> Result<std::string> {
    ksn::v1::CheckReply reply;
    for (const auto& object : request.objects()) {
      auto* checked = reply.add_checked();
      checked->set_from(ksn::v1::Checked::SERVER);
      checked->mutable_facts()->set_verdict(answer);
      checked->mutable_facts()->set_threat(to_hex(object.file_digest()).substr(0, 1));
    }
    return reply.SerializeAsString();
  });
  picketd.start();
  const std::string a(64, 'a'), b(64, 'b');
  auto ran = run({"ksn", "check", a, "nonsense", "/", b});
  EXPECT_EQ(ran.code, 5);
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("trusted"), HasSubstr("no answer"), HasSubstr("nonsense: no such file"), HasSubstr("use picketctl scan")));
  const auto data = boost::json::parse(run({"--json", "ksn", "check", a, "nonsense", b}).out).at("data").at("checked").as_array();
  ASSERT_EQ(data.size(), 3U);
  EXPECT_EQ(data[0].at("facts").at("threat"), "a");
  EXPECT_THAT(std::string(data[1].at("why").as_string()), HasSubstr("nonsense: no such file"));
  EXPECT_EQ(data[2].at("facts").at("threat"), "b");
  answer = ksn::v1::VERDICT_UNTRUSTED;
  EXPECT_EQ(run({"ksn", "check", a, "nonsense"}).code, 4);
  EXPECT_EQ(run({"ksn", "check", "/", "nonsense"}).code, 1) << "there was nothing to ask";
}

TEST_F(KsnCommands, accepting_names_the_text_that_is_shown_and_who_accepts) {
  answer_everything(picketd);
  ksn::v1::DecideRequest asked;
  picketd.answer<ksn::v1::DecideRequest>("picket.ksn.decide", [&](const ksn::v1::DecideRequest& request) -> Result<std::string> {
    asked = request;
    return ksn::v1::DecideReply().SerializeAsString();
  });
  picketd.start();
  EXPECT_THAT(run({"ksn", "statement", "show"}).out, AllOf(HasSubstr("The text."), HasSubstr(std::string(64, 'd'))));
  EXPECT_EQ(run({"ksn", "statement", "accept", "--digest", std::string(64, '0')}).code, 1);
  EXPECT_EQ(asked.digest(), "");
  EXPECT_EQ(run({"ksn", "statement", "accept"}).code, 0);
  EXPECT_TRUE(asked.accept());
  EXPECT_EQ(asked.digest(), std::string(64, 'd'));
  EXPECT_FALSE(asked.who().empty());
  EXPECT_EQ(run({"ksn", "statement", "decline"}).code, 0);
  EXPECT_FALSE(asked.accept());
}

TEST_F(KsnCommands, the_servers_of_this_computer_say_what_they_were_asked) {
  ksn::v1::ServerStatusReply served;
  served.set_state("private KSN \"example\": LMDB /srv/store");
  (*served.mutable_counters())["digests"] = 7;
  picketd.answer_with("picket.ksn.service.status", served);
  picketd.start();
  const auto service = run({"ksn", "service", "status"});
  EXPECT_EQ(service.code, 0);
  EXPECT_THAT(service.out, AllOf(HasSubstr("private KSN \"example\": LMDB /srv/store"), testing::ContainsRegex("digests +7")));
  const auto proxy = run({"ksn", "proxy", "status"});
  EXPECT_EQ(proxy.code, 1);
  EXPECT_THAT(proxy.err, AllOf(HasSubstr("no KSN proxy runs here"), Not(HasSubstr("picket.ksn.proxy.status"))));
}

TEST_F(KsnCommands, name_what_to_look_at_where_no_client_runs) {
  picketd.start();
  for (const auto& words : {std::vector<std::string>{"ksn", "status"}, {"ksn", "disable"}, {"scan", "/"}}) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("nobody answers it: its plugin is not there, or does not run (picketctl plugin list)")) << words[0];
  }
}

TEST_F(KsnCommands, tell_what_an_answerer_says_and_not_that_there_is_none) {
  for (const auto* topic : {"picket.ksn.status", "picket.ksn.proxy.status"})
    picketd.answer_bytes(topic, [](std::string_view) { return CtlAnswer{{}, fail(Code::unavailable, "it asked further, and nobody answers it"), false}; });
  picketd.start();
  for (const auto& words : {std::vector<std::string>{"ksn", "status"}, {"ksn", "proxy", "status"}}) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("it asked further, and nobody answers it"), Not(HasSubstr("picketctl plugin list")))) << words[1];
  }
}

TEST_F(KsnCommands, switch_connection_and_messages_are_for_people_too) {
  answer_everything(picketd);
  picketd.start();
  EXPECT_THAT(run({"ksn", "disable"}).out, HasSubstr("3 messages that waited to be sent thrown away"));
  EXPECT_EQ(run({"ksn", "enable"}).code, 0);
  EXPECT_THAT(run({"ksn", "connection"}).out, AllOf(HasSubstr("https://ksn.site:13111"), HasSubstr("works"), HasSubstr("HTTP/2")));
  EXPECT_THAT(run({"ksn", "last-sent"}).out, AllOf(HasSubstr("asker.licence = \"lic\""), HasSubstr("path = \"/ksn/v1/hello\"")));
  EXPECT_THAT(run({"ksn", "what-is-sent"}).out, AllOf(HasSubstr("Extended"), HasSubstr("never the address")));
  EXPECT_THAT(run({"ksn", "proxy", "status"}).out, AllOf(HasSubstr("0.0.0.0:13111"), HasSubstr("requests")));
}

}  // namespace
}  // namespace picket::test
